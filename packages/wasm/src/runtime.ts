/** @file Memory, module and threads of one open backend: what buffers and programs are made of. */
import { BackendError, type HostArray, TransfusionError } from '@transfusion/tensor';
import { Allocator } from './allocator.js';
import { compileKernels, instantiateKernels, type KernelExports, type KernelModule } from './kernel-module.js';
import { FAILED_ADDRESS, PAGE_BYTES, SCRATCH_BASE, SCRATCH_BYTES, TAIL_BYTES } from './layout.js';
import { mayBlock } from './platform.js';
import { WorkerPool } from './pool.js';

export interface RuntimeOptions {
  threads: number;
  fusedMultiplyAdd: boolean;
  wide: boolean | 'always';
  maxBytes: number;
}

/** An open backend's engine room. */
export class Runtime {
  readonly memory: WebAssembly.Memory;
  readonly allocator: Allocator;
  readonly fused: boolean;
  readonly tileColumns: number;
  readonly threads: number;
  readonly maxBytes: number;
  #exports: KernelExports;
  #pool: WorkerPool | undefined;
  #failure: string | undefined;
  #disposed = false;
  readonly #maySleep = mayBlock();

  private constructor(
    memory: WebAssembly.Memory,
    exports: KernelExports,
    options: RuntimeOptions & Omit<KernelModule, 'module'>,
  ) {
    this.memory = memory;
    this.#exports = exports;
    this.fused = options.fused;
    this.tileColumns = options.tileColumns;
    this.threads = options.threads;
    this.maxBytes = options.maxBytes;
    this.allocator = new Allocator(memory, reservedBytes(options.threads), options.maxBytes);
  }

  static async open(options: RuntimeOptions): Promise<Runtime> {
    const { module, ...kind } = await compileKernels(options);
    const { memory, maxBytes } = createMemory(options);
    const runtime = new Runtime(memory, instantiateKernels(module, memory), { ...options, ...kind, maxBytes });
    if (options.threads > 1) {
      runtime.#pool = await WorkerPool.start({
        module,
        memory,
        workers: options.threads - 1,
        onFailure: (reason) => {
          runtime.#failure ??= reason;
        },
      });
    }
    return runtime;
  }

  /** @throws BackendError if the backend was disposed or a thread failed. */
  assertUsable(): void {
    if (this.#disposed) {
      throw new BackendError({
        code: 'BACKEND_DISPOSED',
        message: 'the wasm backend was disposed, and is used again',
        fix: 'open a new backend with openWasm()',
      });
    }
    if (this.#failure !== undefined || this.#failedThread() > 0) throw this.#lost();
  }

  /** Replays a command list. Returns when all of it is done. */
  replay(list: number, count: number, program: string): void {
    this.assertUsable();
    if (count === 0) return;
    try {
      this.#exports.run(list, count, this.#maySleep);
    } catch (cause) {
      this.#exports.fail(0);
      this.#failure = `thread 0 in program '${program}': ${cause}`;
    }
    if (this.#failure === undefined && this.#failedThread() > 0) {
      this.#failure = `thread ${this.#failedThread() - 1} in program '${program}'`;
    }
    if (this.#failure !== undefined) throw this.#lost();
  }

  /** Copies `data` to a byte address. */
  write(address: number, data: HostArray): void {
    if (data instanceof Int32Array || Object.prototype.toString.call(data) === '[object Int32Array]') {
      new Int32Array(this.memory.buffer, address, data.length).set(data);
    } else {
      new Float32Array(this.memory.buffer, address, data.length).set(data);
    }
  }

  /** A copy of `bytes` bytes. */
  read(address: number, bytes: number): ArrayBuffer {
    const copy = new Uint8Array(bytes);
    copy.set(new Uint8Array(this.memory.buffer, address, bytes));
    return copy.buffer;
  }

  zero(address: number, bytes: number): void {
    new Uint8Array(this.memory.buffer, address, bytes).fill(0);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#exports.quit();
    this.#pool?.close();
  }

  #failedThread(): number {
    return Atomics.load(new Int32Array(this.memory.buffer, FAILED_ADDRESS, 1), 0);
  }

  #lost(): BackendError {
    return new BackendError({
      code: 'KERNEL_FAILED',
      message: `a kernel of the wasm backend trapped (${this.#failure ?? 'in a worker thread'}); its buffers may be half written`,
      fix: 'dispose the backend and open a new one; if this happens again with the same program, report it',
    });
  }
}

/** Bytes below the allocator's: control words, static data, and scratch of each thread. */
function reservedBytes(threads: number): number {
  return SCRATCH_BASE + threads * SCRATCH_BYTES;
}

/** A shared memory with the largest maximum, up to `maxBytes`, whose address space the engine grants. */
function createMemory({ threads, maxBytes }: RuntimeOptions): { memory: WebAssembly.Memory; maxBytes: number } {
  const initial = Math.ceil((reservedBytes(threads) + TAIL_BYTES) / PAGE_BYTES) + 16;
  let maximum = Math.floor(maxBytes / PAGE_BYTES);
  if (maximum < initial) {
    throw new TransfusionError({
      code: 'WASM_OPTIONS',
      message: `maxBytes is ${maxBytes}, but ${threads} threads need ${initial * PAGE_BYTES} bytes for themselves`,
      fix: 'raise maxBytes or lower threads',
    });
  }
  for (;;) {
    try {
      const memory = new WebAssembly.Memory({ initial, maximum, shared: true });
      return { memory, maxBytes: maximum * PAGE_BYTES };
    } catch (cause) {
      maximum = Math.floor(maximum / 2);
      if (maximum >= initial) continue;
      throw new BackendError({
        code: 'BACKEND_UNAVAILABLE',
        message: `the engine grants no shared WebAssembly memory of ${initial * PAGE_BYTES} bytes: ${cause}`,
        fix: 'close other pages or programs, or dispose backends that are no longer used',
        cause,
      });
    }
  }
}
