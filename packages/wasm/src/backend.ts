/** @file The CPU backend: SIMD kernels in WebAssembly on all cores. */
import {
  type Backend,
  type BackendLimits,
  type BackendStats,
  backendOptions,
  checkBufferSize,
  checkProgram,
  checkStates,
  type DeviceBuffer,
  type Executable,
  type Program,
} from '@transfusion/tensor';
import { WasmBuffer } from './device-buffer.js';
import { WasmExecutable } from './executable.js';
import { ALIGNMENT, MAX_THREADS, WIDE_TILE_COLUMNS } from './layout.js';
import { availableThreads, canShareMemory, environment } from './platform.js';
import { Runtime } from './runtime.js';

export interface WasmOptions {
  /** Threads, the caller's included. Default: as many as there are cores (1 in a page that is not cross-origin isolated). */
  threads?: number;
  /**
   * Fused multiply-add where the engine has it: faster, rounded once. Default true. Turn it off for the same bits on
   * every machine.
   */
  fusedMultiplyAdd?: boolean;
  /**
   * Kernels for 256-bit registers where the engine has them: Node 24 and later on x64 with AVX2, after a trial. Results are
   * the same in every bit. Default true, or false where the environment has TRANSFUSION_WIDE=0. Opening such a backend sets
   * a V8 flag of the process (`--experimental-wasm-revectorize`). 'always': no trial, for tests; elsewhere it is slow.
   */
  wide?: boolean | 'always';
  /** The most memory to use, in bytes. Default and maximum: 4 GiB, what 32-bit WebAssembly addresses. */
  maxBytes?: number;
}

const MOST_BYTES = 2 ** 32;
/** Element counts and differences stay well inside 32-bit arithmetic. */
const MOST_BUFFER_BYTES = 2 ** 31 - ALIGNMENT;

class WasmBackend implements Backend {
  readonly name = 'wasm';
  readonly description: string;
  readonly limits: BackendLimits;
  readonly batchInvariant = true;
  readonly #runtime: Runtime;
  #builtKernels = 0;
  #buildSeconds = 0;

  constructor(runtime: Runtime, note: string) {
    this.#runtime = runtime;
    const threads = runtime.threads === 1 ? '1 thread' : `${runtime.threads} threads`;
    const simd = runtime.fused ? 'relaxed SIMD with fused multiply-add' : 'SIMD';
    const bits = runtime.tileColumns === WIDE_TILE_COLUMNS ? '256-bit' : '128-bit';
    this.description = `WebAssembly on the CPU: ${threads}, ${bits} ${simd}${note}`;
    const most = Math.min(runtime.maxBytes, MOST_BUFFER_BYTES);
    this.limits = {
      alignment: ALIGNMENT,
      maxArenaBytes: most,
      maxBufferBytes: most,
      maxExpressionInputs: 32,
      f16: false,
    };
  }

  createBuffer(elements: number): DeviceBuffer {
    this.#runtime.assertUsable();
    checkBufferSize(elements, this.limits);
    return new WasmBuffer(this.#runtime, elements);
  }

  async load(program: Program, states: DeviceBuffer[]): Promise<Executable> {
    this.#runtime.assertUsable();
    checkProgram(program, this);
    const own = checkStates(
      program,
      states,
      (state): state is WasmBuffer => state instanceof WasmBuffer && state.runtime === this.#runtime,
    );
    const begun = performance.now();
    const executable = new WasmExecutable(this.#runtime, program, own);
    this.#builtKernels += executable.commands;
    this.#buildSeconds += (performance.now() - begun) / 1000;
    return executable;
  }

  stats(): BackendStats {
    const { usedBytes, blocks } = this.#runtime.allocator;
    return {
      liveBytes: usedBytes,
      liveBuffers: blocks,
      builtKernels: this.#builtKernels,
      buildSeconds: this.#buildSeconds,
      builtBindGroups: 0,
    };
  }

  async dispose(): Promise<void> {
    this.#runtime.dispose();
  }
}

/**
 * Opens the CPU backend.
 * @throws BackendError (BACKEND_UNAVAILABLE) if the engine lacks WebAssembly SIMD or threads; TransfusionError BACKEND_OPTIONS.
 */
export async function openWasm(options: WasmOptions = {}): Promise<Backend> {
  const shared = canShareMemory();
  const wanted = options.threads ?? Math.min(availableThreads(), MAX_THREADS);
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > MAX_THREADS) {
    throw backendOptions('openWasm', `threads is ${wanted}, but must be a whole number from 1 to ${MAX_THREADS}`);
  }
  const maxBytes = options.maxBytes ?? MOST_BYTES;
  if (!(maxBytes > 0 && maxBytes <= MOST_BYTES)) {
    throw backendOptions('openWasm', `maxBytes is ${maxBytes}, but must be above 0 and at most ${MOST_BYTES}`);
  }
  const runtime = await Runtime.open({
    threads: shared ? wanted : 1,
    fusedMultiplyAdd: options.fusedMultiplyAdd ?? true,
    wide: options.wide ?? environment('TRANSFUSION_WIDE') !== '0',
    maxBytes,
  });
  const note = shared ? '' : ' (more threads need a cross-origin isolated page: COOP and COEP headers)';
  return new WasmBackend(runtime, note);
}
