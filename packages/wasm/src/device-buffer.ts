/** @file A buffer in wasm memory that outlives programs. */
import {
  BYTES_PER_ELEMENT,
  bufferDestroyed,
  checkRead,
  checkWrite,
  type DeviceBuffer,
  type HostArray,
} from '@transfusion/tensor';
import type { Runtime } from './runtime.js';

/** Runs are over when `run` returns, so writes, reads and destruction are always in order. */
export class WasmBuffer implements DeviceBuffer {
  readonly elements: number;
  readonly runtime: Runtime;
  #address: number;

  constructor(runtime: Runtime, elements: number) {
    this.runtime = runtime;
    this.elements = elements;
    const bytes = elements * BYTES_PER_ELEMENT;
    this.#address = runtime.allocator.allocate(bytes, `a buffer of ${elements} elements`);
    runtime.zero(this.#address, bytes);
  }

  /** The byte address. Throws once destroyed. */
  get address(): number {
    this.runtime.assertUsable();
    if (this.#address < 0) throw bufferDestroyed(this.elements);
    return this.#address;
  }

  write(data: HostArray, offset = 0): void {
    const address = this.address;
    checkWrite(this.elements, data, offset);
    this.runtime.write(address + offset * BYTES_PER_ELEMENT, data);
  }

  async read(begin = 0, end = this.elements): Promise<ArrayBuffer> {
    const address = this.address;
    checkRead(this.elements, begin, end);
    return this.runtime.read(address + begin * BYTES_PER_ELEMENT, (end - begin) * BYTES_PER_ELEMENT);
  }

  destroy(): void {
    if (this.#address < 0) return;
    this.runtime.allocator.free(this.#address);
    this.#address = -1;
  }
}
