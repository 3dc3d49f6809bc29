/** @file Memory, module and threads of one open backend: what buffers and programs are made of. */
import {
  BackendError,
  backendDisposed,
  backendOptions,
  deviceLost,
  type HostArray,
  kernelFailed,
} from '@transfusion/tensor';
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
  /** Fulfilled when the run that is between two of its parts is done. */
  paused: Promise<void> | undefined;
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

  /** @throws BackendError BACKEND_DISPOSED, or DEVICE_LOST once a kernel trapped or a thread ended */
  assertUsable(): void {
    if (this.#disposed) throw backendDisposed('wasm');
    if (this.#failure === undefined && this.#failedThread() === 0) return;
    throw deviceLost('the wasm backend', this.#failure ?? 'a kernel trapped in a worker thread');
  }

  /** Replays a command list. Returns when all of it is done. @throws BackendError KERNEL_FAILED, and from then on DEVICE_LOST */
  replay(list: number, count: number, program: string): void {
    this.assertUsable();
    if (count === 0) return;
    try {
      this.#exports.run(list, count, this.#maySleep);
    } catch (cause) {
      this.#exports.fail(0);
      this.#failure = `a kernel of program '${program}' trapped on thread 0: ${cause}`;
    }
    if (this.#failure === undefined && this.#failedThread() > 0) {
      this.#failure = `a kernel of program '${program}' trapped on thread ${this.#failedThread() - 1}`;
    }
    if (this.#failure !== undefined)
      throw kernelFailed('running a program', `${this.#failure}; buffers may be half written`);
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
    const need = `${threads} threads need ${initial * PAGE_BYTES} bytes for themselves`;
    throw backendOptions('openWasm', `maxBytes is ${maxBytes}, but ${need}`, 'raise maxBytes or lower threads');
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
