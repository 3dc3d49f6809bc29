/** @file Opens one engine in this process. Engines change globals, so a process opens one of them, once. */
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { openWebGpu } from '@transfusion/webgpu';
import { installGpu } from './dawn.js';
import { type BackendName, type EngineName, engineSetting, type OpenEngine } from './engine.js';
import { installIteratorHelpers } from './iterator-helpers.js';
import { setNavigator } from './navigator.js';
import { REQUIRE_GPU } from './require-gpu.js';
import { openTorch } from './torch.js';
import { installWebWorkers } from './web-worker.js';

const require = createRequire(import.meta.url);

/** @throws Error that says why the engine does not run here */
export async function openEngine(engine: EngineName, backend: BackendName): Promise<OpenEngine> {
  // Node 20 has relaxed SIMD behind this flag; every engine that looks for it may use it.
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  const { api, narrow, webWorkers, torch } = engineSetting(engine);
  if (api === 'ours') {
    const { backend: own, software } = await openOurs(backend, { narrow });
    return { name: 'ours', api: { backend: own }, description: own.description, software };
  }
  if (api === 'jax-js') return openJaxJs(backend, webWorkers ?? false);
  if (api === 'torch') {
    return { name: 'torch', ...openTorch(torch), software: false };
  }
  return openTfjs(backend);
}

/** Our own engine's backend. */
export async function openOurs(
  name: BackendName,
  { narrow = false } = {},
): Promise<{ backend: Backend; software: boolean }> {
  if (name === 'wasm') return { backend: await openWasm(narrow ? { wide: false } : {}), software: false };
  const backend = await openWebGpu({ requireGpu: process.env[REQUIRE_GPU] === '1' });
  return { backend, software: backend.adapterKind === 'software' };
}

async function openJaxJs(backend: BackendName, webWorkers: boolean): Promise<OpenEngine> {
  const gpu = backend === 'webgpu' ? await installGpu() : undefined;
  if (!gpu) setNavigator();
  if (webWorkers) installWebWorkers();
  installIteratorHelpers();
  const jax = await import('@jax-js/jax');
  const available = await jax.init(backend);
  if (!available.includes(backend)) throw new Error(`jax-js finds no ${backend}; it has ${available.join(', ')}`);
  jax.defaultDevice(backend);
  const threads = webWorkers ? `${availableParallelism()} threads through web workers added to Node` : '1 thread';
  const description = `@jax-js/jax ${versionOf('@jax-js/jax')}, ${gpu?.description ?? threads}`;
  return { name: 'jax-js', api: { jax }, description, software: gpu?.software ?? false };
}

async function openTfjs(backend: BackendName): Promise<OpenEngine> {
  const gpu = backend === 'webgpu' ? await installGpu() : undefined;
  const tf = await import('@tensorflow/tfjs-core');
  await import('@tensorflow/tfjs-core/dist/register_all_gradients.js');
  tf.enableProdMode();
  const version = versionOf(`@tensorflow/tfjs-backend-${backend}`);
  let where: string;
  if (gpu) {
    await import('@tensorflow/tfjs-backend-webgpu');
    where = gpu.description;
    await start(tf, backend);
  } else {
    const wasm = await import('@tensorflow/tfjs-backend-wasm');
    wasm.setWasmPaths(join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm')), '/'));
    await start(tf, backend);
    const threads = wasm.getThreadsCount();
    where = `${threads} ${threads === 1 ? 'thread, its own choice in Node' : 'threads'}`;
  }
  return { name: 'tfjs', api: { tf }, description: `tfjs ${version}, ${where}`, software: gpu?.software ?? false };
}

async function start(tf: typeof import('@tensorflow/tfjs-core'), backend: BackendName): Promise<void> {
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs could not start its ${backend} backend`);
  await tf.ready();
}

function versionOf(name: string): string {
  // jax-js does not export its package.json.
  for (let folder = dirname(require.resolve(name)); folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const manifest: { name?: string; version?: string } = require(join(folder, 'package.json'));
      if (manifest.name === name && manifest.version) return manifest.version;
    } catch {}
  }
  return '';
}
