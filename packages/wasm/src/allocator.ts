/** @file A first-fit allocator over wasm's memory: a sorted list of free ranges, joined when neighbours are freed. */
import { formatBytes, memoryExhausted, type OutOfMemoryError } from '@transfusion/tensor';
import { ALIGNMENT, align, PAGE_BYTES, TAIL_BYTES } from './layout.js';

interface Range {
  address: number;
  bytes: number;
}

/** Memory is grown by at least this much, so that many small buffers do not grow it one by one. */
const GROWTH_BYTES = 16 * 1024 * 1024;

/** Allocates byte ranges, 64-byte aligned, in a memory that grows up to a limit. */
export class Allocator {
  readonly #memory: WebAssembly.Memory;
  readonly #maxBytes: number;
  readonly #free: Range[] = [];
  readonly #used = new Map<number, number>();
  /** End of what the allocator manages; memory behind it is the tail that loads may touch. */
  #end: number;
  #usedBytes = 0;

  /**
   * @param memory its bytes below `base` belong to somebody else.
   * @param maxBytes the memory never grows beyond this; at most its declared maximum.
   */
  constructor(memory: WebAssembly.Memory, base: number, maxBytes: number) {
    this.#memory = memory;
    this.#maxBytes = maxBytes;
    this.#end = memory.buffer.byteLength - TAIL_BYTES;
    this.#free.push({ address: align(base), bytes: this.#end - align(base) });
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get blocks(): number {
    return this.#used.size;
  }

  /** The most bytes one block could have now. */
  get largestBytes(): number {
    const last = this.#free.at(-1);
    const tail = last && last.address + last.bytes === this.#end ? last.bytes : 0;
    const afterGrowth = tail + Math.max(0, this.#maxBytes - TAIL_BYTES - this.#end);
    return this.#free.reduce((largest, range) => Math.max(largest, range.bytes), afterGrowth);
  }

  /**
   * The address of a new block of `bytes` bytes, whose contents are undefined.
   * @param purpose names what needs it, for the message.
   * @throws OutOfMemoryError before anything has changed.
   */
  allocate(bytes: number, purpose: string): number {
    const size = Math.max(ALIGNMENT, align(bytes));
    let index = this.#free.findIndex((range) => range.bytes >= size);
    if (index < 0) {
      this.#grow(size, purpose);
      index = this.#free.length - 1;
    }
    const range = this.#free[index];
    const address = range.address;
    if (range.bytes === size) this.#free.splice(index, 1);
    else this.#free[index] = { address: address + size, bytes: range.bytes - size };
    this.#used.set(address, size);
    this.#usedBytes += size;
    return address;
  }

  /** Gives a block back. Unknown addresses are ignored, so that freeing twice does no harm. */
  free(address: number): void {
    const bytes = this.#used.get(address);
    if (bytes === undefined) return;
    this.#used.delete(address);
    this.#usedBytes -= bytes;
    this.#release({ address, bytes });
  }

  #release(range: Range): void {
    let index = this.#free.findIndex((other) => other.address > range.address);
    if (index < 0) index = this.#free.length;
    const before = this.#free[index - 1];
    const after = this.#free[index];
    if (after && range.address + range.bytes === after.address) {
      range.bytes += after.bytes;
      this.#free.splice(index, 1);
    }
    if (before && before.address + before.bytes === range.address) before.bytes += range.bytes;
    else this.#free.splice(index, 0, range);
  }

  /** Grows until the last free range holds `bytes`. */
  #grow(bytes: number, purpose: string): void {
    if (bytes > this.largestBytes) throw this.#refusal(bytes, purpose);
    const last = this.#free.at(-1);
    const tail = last && last.address + last.bytes === this.#end ? last.bytes : 0;
    const room = this.#maxBytes - TAIL_BYTES - this.#end;
    const wanted = Math.min(room, Math.max(bytes - tail, GROWTH_BYTES));
    const pages = Math.ceil(wanted / PAGE_BYTES);
    try {
      this.#memory.grow(pages);
    } catch (cause) {
      throw this.#refusal(bytes, purpose, cause);
    }
    this.#release({ address: this.#end, bytes: pages * PAGE_BYTES });
    this.#end += pages * PAGE_BYTES;
  }

  #refusal(bytes: number, purpose: string, cause?: unknown): OutOfMemoryError {
    const largest = `at most ${formatBytes(this.largestBytes)} in one piece, beside ${this.blocks} blocks`;
    return memoryExhausted({
      what: purpose,
      bytes,
      usedBytes: this.#usedBytes,
      limitBytes: this.#maxBytes,
      detail: cause ? `${largest}; the engine refused to grow the memory: ${cause}` : largest,
      raise: 'raise maxBytes (wasm has at most 4 GiB), or use the webgpu backend',
    });
  }
}
