/** @file A buffer in wasm memory that outlives programs. */
import { BYTES_PER_ELEMENT, type DeviceBuffer, type HostArray, TransfusionError } from '@transfusion/tensor';
import type { Runtime } from './runtime.js';

/** Runs are over when `run` returns, so writes, reads and destruction are always in order. */
export class WasmBuffer implements DeviceBuffer {
  readonly elements: number;
  readonly runtime: Runtime;
  #address: number;

  constructor(runtime: Runtime, elements: number) {
    if (!Number.isInteger(elements) || elements < 1) {
      throw new TransfusionError({
        code: 'BUFFER_SIZE',
        message: `createBuffer(${elements}): a buffer has a whole number of elements, at least 1`,
      });
    }
    this.runtime = runtime;
    this.elements = elements;
    const bytes = elements * BYTES_PER_ELEMENT;
    this.#address = runtime.allocator.allocate(bytes, `a buffer of ${elements} elements`);
    runtime.zero(this.#address, bytes);
  }

  get destroyed(): boolean {
    return this.#address < 0;
  }

  /** The byte address. */
  get address(): number {
    this.runtime.assertUsable();
    if (this.destroyed) {
      throw new TransfusionError({
        code: 'BUFFER_DESTROYED',
        message: `a buffer of ${this.elements} elements was destroyed, and is used again`,
        fix: 'destroy a buffer after its last write, read and run',
      });
    }
    return this.#address;
  }

  write(data: HostArray, offset = 0): void {
    const address = this.address;
    if (!Number.isInteger(offset) || offset < 0 || offset + data.length > this.elements) {
      throw new TransfusionError({
        code: 'BUFFER_RANGE',
        message: `write of ${data.length} elements at ${offset} does not fit a buffer of ${this.elements} elements`,
      });
    }
    this.runtime.write(address + offset * BYTES_PER_ELEMENT, data);
  }

  async read(): Promise<ArrayBuffer> {
    return this.runtime.read(this.address, this.elements * BYTES_PER_ELEMENT);
  }

  destroy(): void {
    if (this.destroyed) return;
    this.runtime.allocator.free(this.#address);
    this.#address = -1;
  }
}
