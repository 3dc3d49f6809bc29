/** @file Device memory that outlives programs: buffers, several of which may lie in one GPU buffer. */
import { TransfusionError } from '@transfusion/core';
import {
  BYTES_PER_ELEMENT,
  bufferDestroyed,
  checkRead,
  checkWrite,
  type DeviceBuffer,
  type HostArray,
} from '@transfusion/tensor';
import { type DeviceLimits, MOST_SHARED_BYTES } from '../adapter/limits.js';
import type { Faults } from './faults.js';
import type { DeviceMemory } from './memory.js';
import { type BufferRange, packRanges } from './memory-plan.js';
import { ReadbackRing, USAGE } from './readback.js';

/** What buffers need of their backend. */
export interface DeviceBufferTools {
  device: GPUDevice;
  limits: DeviceLimits;
  memory: DeviceMemory;
  faults: Faults;
}

/** A GPU buffer that goes when the last of those that lie in it does. */
class SharedBuffer {
  readonly gpu: GPUBuffer;
  readonly #memory: DeviceMemory;
  #users = 0;

  constructor(memory: DeviceMemory, bytes: number) {
    this.#memory = memory;
    this.gpu = memory.create('state', bytes, USAGE.storage | USAGE.copySource | USAGE.copyTarget);
  }

  acquire(): void {
    this.#users += 1;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#memory.destroy(this.gpu);
  }
}

/** Zeroed buffers of these sizes, side by side: a dispatch can then bind many of them at once. */
export function createDeviceBuffers(sizes: readonly number[], tools: DeviceBufferTools): WebGpuDeviceBuffer[] {
  const { limits, memory } = tools;
  const bytes = sizes.map((elements) => elements * BYTES_PER_ELEMENT);
  // One alone ends where its elements do.
  const alignment = sizes.length > 1 ? limits.minStorageBufferOffsetAlignment : BYTES_PER_ELEMENT;
  const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize, MOST_SHARED_BYTES);
  const { places, packBytes } = packRanges(bytes, alignment, most - (most % alignment));
  const what = sizes.length > 1 ? `${sizes.length} buffers` : `a buffer of ${sizes[0]} elements`;
  memory.require(
    what,
    packBytes.map((size) => ({ name: 'its contents', bytes: size })),
  );
  const packs = packBytes.map((size) => new SharedBuffer(memory, size));
  return sizes.map((elements, i) => {
    const { pack, byteOffset } = places[i];
    return new WebGpuDeviceBuffer({ elements, shared: packs[pack], byteOffset }, tools);
  });
}

export class WebGpuDeviceBuffer implements DeviceBuffer {
  readonly elements: number;
  readonly #tools: DeviceBufferTools;
  readonly #shared: SharedBuffer;
  readonly #range: BufferRange;
  #destroyed = false;

  constructor(
    { elements, shared, byteOffset }: { elements: number; shared: SharedBuffer; byteOffset: number },
    tools: DeviceBufferTools,
  ) {
    this.elements = elements;
    this.#tools = tools;
    this.#shared = shared;
    this.#range = { gpu: shared.gpu, byteOffset, bytes: elements * BYTES_PER_ELEMENT };
    shared.acquire();
  }

  /** Where it lies. Throws once destroyed. */
  get range(): BufferRange {
    this.#tools.faults.check();
    if (this.#destroyed) throw bufferDestroyed(this.elements);
    return this.#range;
  }

  /** Whether it was made on that device. */
  isOf(device: GPUDevice): boolean {
    return device === this.#tools.device;
  }

  write(data: HostArray, offset = 0): void {
    const { gpu, byteOffset } = this.range;
    checkWrite(this.elements, data, offset);
    const at = byteOffset + offset * BYTES_PER_ELEMENT;
    this.#tools.device.queue.writeBuffer(gpu, at, data as Float32Array<ArrayBuffer>);
  }

  async read(begin = 0, end = this.elements): Promise<ArrayBuffer> {
    const { gpu, byteOffset } = this.range;
    checkRead(this.elements, begin, end);
    const { device, memory, faults } = this.#tools;
    const bytes = (end - begin) * BYTES_PER_ELEMENT;
    const ranges = [{ source: gpu, byteOffset: byteOffset + begin * BYTES_PER_ELEMENT, bytes }];
    const ring = new ReadbackRing({ memory, name: 'state', ranges, slots: 0 });
    const encoder = device.createCommandEncoder();
    const read = ring.encode(encoder);
    device.queue.submit([encoder.finish()]);
    try {
      const [contents] = await read();
      faults.check();
      return contents;
    } catch (error) {
      throw TransfusionError.isInstance(error) ? error : await faults.explain(error, 'reading a device buffer');
    } finally {
      ring.destroy();
    }
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#shared.release();
  }
}
