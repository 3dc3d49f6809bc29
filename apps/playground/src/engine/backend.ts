/** @file What computes: a GPU where the browser gives one, else the CPU; and how fast. */
import { reason } from '@transfusion/core';
import { type Backend, compile, f32 } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { openWebGpu } from '@transfusion/webgpu';
import type { BackendInfo } from './protocol.js';

export interface OpenedBackend {
  backend: Backend;
  info: Omit<BackendInfo, 'keeps'>;
}

export interface BackendWish {
  /** 'auto': a GPU, else wasm; 'webgpu': also a software adapter, which is slow and for testing. */
  backend: 'auto' | 'webgpu' | 'wasm';
  threads?: number;
}

export async function openBackend({ backend: wish, threads }: BackendWish): Promise<OpenedBackend> {
  let why: string | undefined;
  if (wish !== 'wasm') {
    try {
      const backend = await openWebGpu({ adapter: wish === 'webgpu' ? 'any' : 'hardware' });
      const gflopPerSecond = await speedOf(backend);
      const gpu = backend.adapterKind === 'hardware';
      return { backend, info: { name: 'webgpu', description: backend.description, gpu, gflopPerSecond } };
    } catch (error) {
      why = whyNot(error);
    }
  }
  const backend = await openWasm({ threads: threads ?? threadsOf(globalThis.navigator?.hardwareConcurrency) });
  const gflopPerSecond = await speedOf(backend);
  const info = { name: 'wasm' as const, description: backend.description, gpu: false, gflopPerSecond, why };
  return { backend, info };
}

/** All cores of a small machine; of others one is left to the page. */
function threadsOf(cores = 1): number {
  return Math.max(1, Math.min(cores > 4 ? cores - 1 : cores, 16));
}

function whyNot(error: unknown): string {
  const gpu = (globalThis.navigator as { gpu?: unknown } | undefined)?.gpu;
  if (gpu === undefined) return 'This browser has no WebGPU, or the page is not from https or localhost.';
  return `WebGPU gave no graphics card (${reason(error).split('\n')[0]}).`;
}

const SIDE = 256;

/** Billions of operations a second of a matrix product. */
async function speedOf(backend: Backend): Promise<number> {
  const inputs = { a: f32(SIDE, SIDE), b: f32(SIDE, SIDE) };
  const product = await compile({ backend, name: 'speed', inputs, fn: ({ a, b }) => ({ outputs: a.matmul(b).sum() }) });
  const values = { a: new Float32Array(SIDE ** 2).fill(1), b: new Float32Array(SIDE ** 2).fill(0.5) };
  try {
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 4; i++) {
      const begun = performance.now();
      await product.run(values);
      best = Math.min(best, performance.now() - begun);
    }
    return (2 * SIDE ** 3) / 1e6 / Math.max(best, 0.05);
  } finally {
    product.dispose();
  }
}
