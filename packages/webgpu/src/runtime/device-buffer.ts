/** @file Device memory that outlives programs. */
import { TransfusionError } from '@transfusion/core';
import {
  BYTES_PER_ELEMENT,
  bufferDestroyed,
  checkRead,
  checkWrite,
  type DeviceBuffer,
  type HostArray,
} from '@transfusion/tensor';
import type { Faults } from './faults.js';
import type { DeviceMemory } from './memory.js';
import { ReadbackRing, USAGE } from './readback.js';

export class WebGpuDeviceBuffer implements DeviceBuffer {
  readonly elements: number;
  readonly #device: GPUDevice;
  readonly #memory: DeviceMemory;
  readonly #faults: Faults;
  readonly #buffer: GPUBuffer;
  #destroyed = false;

  constructor(options: { elements: number; device: GPUDevice; memory: DeviceMemory; faults: Faults }) {
    this.elements = options.elements;
    this.#device = options.device;
    this.#memory = options.memory;
    this.#faults = options.faults;
    const usage = USAGE.storage | USAGE.copySource | USAGE.copyTarget;
    this.#buffer = options.memory.create('state', options.elements * BYTES_PER_ELEMENT, usage);
  }

  /** The GPU buffer. Throws once destroyed. */
  get gpu(): GPUBuffer {
    this.#faults.check();
    if (this.#destroyed) throw bufferDestroyed(this.elements);
    return this.#buffer;
  }

  /** Whether it was made on that device. */
  isOf(device: GPUDevice): boolean {
    return device === this.#device;
  }

  write(data: HostArray, offset = 0): void {
    const gpu = this.gpu;
    checkWrite(this.elements, data, offset);
    this.#device.queue.writeBuffer(gpu, offset * BYTES_PER_ELEMENT, data as Float32Array<ArrayBuffer>);
  }

  async read(begin = 0, end = this.elements): Promise<ArrayBuffer> {
    const source = this.gpu;
    checkRead(this.elements, begin, end);
    const [byteOffset, byteEnd] = [begin, end].map((element) => element * BYTES_PER_ELEMENT);
    const ranges = [{ source, byteOffset, bytes: byteEnd - byteOffset }];
    const ring = new ReadbackRing({ memory: this.#memory, name: 'state', ranges, slots: 0 });
    const encoder = this.#device.createCommandEncoder();
    const read = ring.encode(encoder);
    this.#device.queue.submit([encoder.finish()]);
    try {
      const [contents] = await read();
      this.#faults.check();
      return contents;
    } catch (error) {
      throw TransfusionError.isInstance(error) ? error : await this.#faults.explain(error, 'reading a device buffer');
    } finally {
      ring.destroy();
    }
  }

  destroy(): void {
    this.#destroyed = true;
    this.#memory.destroy(this.#buffer);
  }
}
