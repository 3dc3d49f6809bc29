/** @file Every GPUBuffer of a backend is made here, so that what is allocated is known and what cannot fit is refused. */
import { bufferTooLarge, formatBytes, memoryExhausted } from '@transfusion/tensor';

export interface MemoryRequest {
  /** What the memory is for. */
  name: string;
  bytes: number;
}

export class DeviceMemory {
  readonly #device: GPUDevice;
  readonly #maxBufferBytes: number;
  /** The most bytes all buffers together may have. */
  readonly #limitBytes: number;
  readonly #sizes = new Map<GPUBuffer, number>();
  #liveBytes = 0;

  constructor(device: GPUDevice, maxBufferBytes: number, limitBytes: number) {
    this.#device = device;
    this.#maxBufferBytes = maxBufferBytes;
    this.#limitBytes = limitBytes;
  }

  get liveBytes(): number {
    return this.#liveBytes;
  }

  get liveBuffers(): number {
    return this.#sizes.size;
  }

  /** @throws OutOfMemoryError if the requests, together with what is allocated now, do not fit. Allocates nothing. */
  require(what: string, requests: MemoryRequest[]): void {
    const total = requests.reduce((sum, request) => sum + request.bytes, 0);
    const largest = requests.reduce((a, b) => (b.bytes > a.bytes ? b : a), { name: 'nothing', bytes: 0 });
    const limit = this.#maxBufferBytes;
    if (largest.bytes > limit) {
      throw bufferTooLarge({ what: `${what}: ${largest.name}`, bytes: largest.bytes, limitBytes: limit });
    }
    if (this.#liveBytes + total > this.#limitBytes) {
      throw memoryExhausted({
        what,
        bytes: total,
        usedBytes: this.#liveBytes,
        limitBytes: this.#limitBytes,
        detail: `most of it ${largest.name}, ${formatBytes(largest.bytes)}`,
        raise: 'raise memoryLimitBytes',
      });
    }
  }

  create(name: string, bytes: number, usage: number): GPUBuffer {
    const buffer = this.#device.createBuffer({ label: name, size: bytes, usage });
    this.#sizes.set(buffer, bytes);
    this.#liveBytes += bytes;
    return buffer;
  }

  /** Idempotent. Work submitted before still completes: the device keeps the memory until then. */
  destroy(buffer: GPUBuffer): void {
    const bytes = this.#sizes.get(buffer);
    if (bytes === undefined) return;
    this.#sizes.delete(buffer);
    this.#liveBytes -= bytes;
    buffer.destroy();
  }

  destroyAll(): void {
    for (const buffer of [...this.#sizes.keys()]) this.destroy(buffer);
  }
}
