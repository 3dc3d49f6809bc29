/** @file What goes wrong on a device outside any call: collected here, thrown by the next call that can throw. */
import {
  backendDisposed,
  deviceLost,
  deviceMemoryExhausted,
  kernelFailed,
  type TransfusionError,
} from '@transfusion/tensor';

/** A GPUError as a TransfusionError. `doing`: what the device was asked for. */
export function errorFromGpu(error: { message: string }, doing: string): TransfusionError {
  // By name: in Node the classes are not globals.
  if (error.constructor.name === 'GPUOutOfMemoryError') {
    return deviceMemoryExhausted(doing, error.message);
  }
  return kernelFailed(doing, error.message, error);
}

/** Watches a device. Once lost or disposed, every call throws; other faults are thrown once, by the next call. */
export class Faults {
  #pending: TransfusionError | undefined;
  #final: TransfusionError | undefined;
  #disposed = false;
  readonly #lost: Promise<unknown>;

  constructor(device: GPUDevice, adapter: string) {
    device.addEventListener('uncapturederror', (event) => {
      event.preventDefault?.();
      this.#pending ??= errorFromGpu(event.error, 'running a program');
    });
    this.#lost = device.lost.then((info) => {
      if (this.#disposed) return;
      this.#final = deviceLost(adapter, `${info.reason}${info.message ? `: ${info.message.trim()}` : ''}`);
    });
  }

  /** From here on every call throws BACKEND_DISPOSED; the loss of the device that follows is expected. */
  dispose(): void {
    this.#disposed = true;
    this.#final = backendDisposed('webgpu');
  }

  /** Throws what went wrong since the last call. */
  check(): void {
    if (this.#final) throw this.#final;
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending) throw pending;
  }

  /** The error to throw where the device rejected a promise: its loss is announced a moment after. */
  async explain(rejection: unknown, doing: string): Promise<TransfusionError> {
    await Promise.race([this.#lost, new Promise((resolve) => setTimeout(resolve, 100))]);
    const known = this.#final ?? this.#pending;
    this.#pending = undefined;
    return known ?? errorFromGpu(rejection instanceof Object ? (rejection as Error) : new Error(`${rejection}`), doing);
  }
}
