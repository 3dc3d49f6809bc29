/** @file Every GPUBuffer of a backend is made here, so that what is allocated is known and what cannot fit is refused. */
import { OutOfMemoryError } from '@transfusion/tensor';

/** A number of bytes for a person: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

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
      throw new OutOfMemoryError({
        message: `${what}: ${largest.name} needs ${formatBytes(largest.bytes)}, a buffer of this adapter has at most ${formatBytes(limit)}`,
        fix: 'use a smaller batch, sequence or model',
      });
    }
    if (this.#liveBytes + total > this.#limitBytes) {
      throw new OutOfMemoryError({
        message:
          `${what} needs ${formatBytes(total)} (most of it ${largest.name}, ${formatBytes(largest.bytes)}), ` +
          `${formatBytes(this.#liveBytes)} of ${formatBytes(this.#limitBytes)} are in use`,
        fix: 'use a smaller batch, sequence or model, or raise memoryLimitBytes',
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
