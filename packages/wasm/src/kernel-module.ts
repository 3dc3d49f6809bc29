/** @file The wasm module: which of the two this engine runs, and what it exports. */
import { BackendError } from '@transfusion/tensor';
import { plainModule, relaxedModule } from './generated/kernels.js';
import { builtin } from './platform.js';

/** What a module exports; see `assembly/runtime.ts`. */
export interface KernelExports {
  /** Replays `count` commands from byte address `list` on. */
  run(list: number, count: number, maySleep: boolean): void;
  work(thread: number): void;
  fail(thread: number): void;
  quit(): void;
}

export interface KernelModule {
  module: WebAssembly.Module;
  /** Whether it fuses multiply-adds (relaxed SIMD). */
  fused: boolean;
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Whether the engine accepts the module, with relaxed SIMD switched on where Node has it behind a flag. */
function acceptsRelaxed(bytes: Uint8Array<ArrayBuffer>): boolean {
  if (WebAssembly.validate(bytes)) return true;
  // Node 20 and 21. The flag is the process's, so worker threads have it too.
  builtin('node:v8')?.setFlagsFromString('--experimental-wasm-relaxed-simd');
  return WebAssembly.validate(bytes);
}

/** Compiles the fastest module that the engine accepts. */
export async function compileKernels(fusedMultiplyAdd: boolean): Promise<KernelModule> {
  if (fusedMultiplyAdd) {
    const relaxed = decodeBase64(relaxedModule);
    if (acceptsRelaxed(relaxed)) return { module: await WebAssembly.compile(relaxed), fused: true };
  }
  const plain = decodeBase64(plainModule);
  if (!WebAssembly.validate(plain)) {
    throw new BackendError({
      code: 'BACKEND_UNAVAILABLE',
      message: 'this JavaScript engine does not run WebAssembly with SIMD and threads, which the wasm backend needs',
      fix: 'use Node 20 or a browser of 2021 or later, or the webgpu backend',
    });
  }
  return { module: await WebAssembly.compile(plain), fused: false };
}

/** Binds a module to a memory, for the calling thread. */
export function instantiateKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  return instance.exports as unknown as KernelExports;
}
