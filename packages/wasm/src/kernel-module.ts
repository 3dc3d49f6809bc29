/** @file The wasm module: which of the three this engine runs, and what it exports. */
import { BackendError } from '@transfusion/tensor';
import { plainModule, relaxedModule } from './generated/kernels.js';
import { NARROW_TILE_COLUMNS, WIDE_TILE_COLUMNS } from './layout.js';
import { builtin } from './platform.js';
import { isWideFaster, setWideVectors } from './wide-vectors.js';

/** What a module exports; see `assembly/index.ts`. */
export interface KernelExports {
  /** Replays `count` commands from byte address `list` on. */
  run(list: number, count: number, maySleep: boolean): void;
  work(thread: number): void;
  fail(thread: number): void;
  quit(): void;
  probe(a: number, b: number, c: number, depth: number, repeats: number): void;
}

export interface KernelModule {
  module: WebAssembly.Module;
  /** Whether it fuses multiply-adds (relaxed SIMD). */
  fused: boolean;
  tileColumns: number;
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

export interface KernelModuleOptions {
  fusedMultiplyAdd: boolean;
  wide: boolean | 'always';
}

/** Compiles the fastest module that the engine runs well. */
export async function compileKernels({ fusedMultiplyAdd, wide }: KernelModuleOptions): Promise<KernelModule> {
  if (fusedMultiplyAdd) {
    const relaxed = decodeBase64(relaxedModule);
    if (acceptsRelaxed(relaxed)) {
      const module = wide ? await compileWide(relaxed, wide === 'always') : undefined;
      if (module) return { module, fused: true, tileColumns: WIDE_TILE_COLUMNS };
      return { module: await WebAssembly.compile(relaxed), fused: true, tileColumns: NARROW_TILE_COLUMNS };
    }
  }
  const plain = decodeBase64(plainModule);
  if (!WebAssembly.validate(plain)) {
    throw new BackendError({
      code: 'BACKEND_UNAVAILABLE',
      message: 'this JavaScript engine does not run WebAssembly with SIMD and threads, which the wasm backend needs',
      fix: 'use Node 20 or a browser of 2021 or later, or the webgpu backend',
    });
  }
  return { module: await WebAssembly.compile(plain), fused: false, tileColumns: NARROW_TILE_COLUMNS };
}

/** Whether this process's engine runs wide tiles faster than narrow ones, once that is known. */
let wideIsFaster: boolean | undefined;

/** The module with wide register tiles, if it is the faster one here. */
async function compileWide(
  relaxed: Uint8Array<ArrayBuffer>,
  untried: boolean,
): Promise<WebAssembly.Module | undefined> {
  const isPossible = wideIsFaster !== false && setWideVectors(true);
  if (!isPossible && !untried) return undefined;
  const { wideModule } = await import('./generated/wide-kernels.js');
  const wide = decodeBase64(wideModule);
  if (!untried) {
    wideIsFaster ??= await isWideFaster(relaxed, wide, instantiateKernels);
    if (!wideIsFaster) {
      setWideVectors(false);
      return undefined;
    }
  }
  return WebAssembly.compile(wide);
}

/** Binds a module to a memory, for the calling thread. */
export function instantiateKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  return instance.exports as unknown as KernelExports;
}
