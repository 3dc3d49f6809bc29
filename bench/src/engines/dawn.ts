/** @file The WebGPU of other engines: the same Dawn, adapter and settings that ours gets. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { openWebGpu } from '@transfusion/webgpu';
import { setNavigator } from './navigator.js';

/** What the webgpu package exports. */
interface Dawn {
  create(options: string[]): GPU;
  globals: Record<string, unknown>;
}

export interface InstalledGpu {
  /** One line, as our backend describes it. */
  description: string;
  software: boolean;
}

/**
 * Puts `navigator.gpu` and WebGPU's constants where browsers have them. Our backend is opened and closed first, so that
 * its choice of an adapter holds for the whole process.
 *
 * @throws Error if this process then gets another adapter than ours.
 */
export async function installGpu(): Promise<InstalledGpu> {
  const backend = await openWebGpu();
  const { description, adapterKind } = backend;
  await backend.dispose();
  // The webgpu package that @transfusion/webgpu depends on.
  const requireFromOurs = createRequire(new URL(import.meta.resolve('@transfusion/webgpu')));
  const dawn: Dawn = await import(pathToFileURL(requireFromOurs.resolve('webgpu')).href);
  const isSwiftShader = /swiftshader/i.test(description);
  const gpu = dawn.create(isSwiftShader ? ['enable-dawn-features=disable_workgroup_init'] : []);
  Object.assign(globalThis, dawn.globals);
  setNavigator(gpu);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  const name = adapter?.info.description || adapter?.info.device || '';
  if (!adapter || !description.includes(name)) {
    throw new Error(`asked for the adapter that we use (${description}), got ${adapter ? name : 'none'}`);
  }
  return { description, software: adapterKind === 'software' };
}
