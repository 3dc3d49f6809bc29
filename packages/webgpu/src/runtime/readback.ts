/** @file Reading device memory: a copy to a staging buffer in the queue's order, then a map. */
import type { DeviceMemory } from './memory.js';

/** A range of a device buffer to read, in bytes. */
export interface ReadRange {
  source: GPUBuffer;
  byteOffset: number;
  bytes: number;
}

/** WebGPU usage flags: constants of the specification, which are globals in browsers only. */
export const USAGE = { mapRead: 0x0001, copySource: 0x0004, copyTarget: 0x0008, storage: 0x0080 } as const;
const MAP_READ = 0x0001;

/**
 * Staging buffers that hold one set of ranges each. Reads that overlap take one each; the ring grows to the deepest
 * overlap seen and is reused from then on.
 */
export class ReadbackRing {
  readonly #memory: DeviceMemory;
  readonly #name: string;
  readonly #ranges: ReadRange[];
  readonly #bytes: number;
  readonly #free: GPUBuffer[] = [];
  #destroyed = false;

  constructor(options: { memory: DeviceMemory; name: string; ranges: ReadRange[]; slots: number }) {
    this.#memory = options.memory;
    this.#name = options.name;
    this.#ranges = options.ranges;
    this.#bytes = options.ranges.reduce((total, range) => total + range.bytes, 0);
    for (let slot = 0; slot < options.slots; slot++) this.#free.push(this.#create());
  }

  /** Encodes the copies. Call the result once they are submitted: it gives the ranges' contents. */
  encode(encoder: GPUCommandEncoder): () => Promise<ArrayBuffer[]> {
    const staging = this.#free.pop() ?? this.#create();
    let offset = 0;
    for (const range of this.#ranges) {
      encoder.copyBufferToBuffer(range.source, range.byteOffset, staging, offset, range.bytes);
      offset += range.bytes;
    }
    return () => this.#read(staging);
  }

  /** Frees the staging buffers; those being read once they are. */
  destroy(): void {
    this.#destroyed = true;
    for (const staging of this.#free.splice(0)) this.#memory.destroy(staging);
  }

  #create(): GPUBuffer {
    return this.#memory.create(`${this.#name} staging`, this.#bytes, USAGE.mapRead | USAGE.copyTarget);
  }

  async #read(staging: GPUBuffer): Promise<ArrayBuffer[]> {
    try {
      await staging.mapAsync(MAP_READ);
      const mapped = staging.getMappedRange();
      let offset = 0;
      const contents = this.#ranges.map(({ bytes }) => {
        const copy = new Uint8Array(bytes);
        copy.set(new Uint8Array(mapped, offset, bytes));
        offset += bytes;
        return copy.buffer;
      });
      staging.unmap();
      this.#free.push(staging);
      return contents;
    } finally {
      if (this.#destroyed) this.destroy();
    }
  }
}
