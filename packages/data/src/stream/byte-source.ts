/** @file Bytes of a file, wherever it is: what readers of shards read from. */
import { TransfusionError } from '@transfusion/core';

/** No single read is larger: 512 MiB. */
export const MOST_READ = 2 ** 29;

export interface ByteSource {
  /** For errors: a path or a URL. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Another one where the contents are others, as far as can be told: a time of change, or a tag of the server. */
  readonly version: string;
  /**
   * Bytes [begin, end), all of them.
   * @throws TransfusionError DATA_SOURCE_*: they cannot be had
   */
  read(begin: number, end: number): Promise<Uint8Array>;
  close?(): Promise<void>;
}

/** Before anything is allocated. @throws TransfusionError DATA_SOURCE_RANGE */
export function checkRange({ name, size }: Pick<ByteSource, 'name' | 'size'>, begin: number, end: number): void {
  const isInside =
    Number.isSafeInteger(begin) && Number.isSafeInteger(end) && 0 <= begin && begin <= end && end <= size;
  if (isInside && end - begin <= MOST_READ) return;
  throw new TransfusionError({
    code: 'DATA_SOURCE_RANGE',
    message: isInside
      ? `${name}: ${end - begin} bytes from ${begin} on are asked for, the most at once is ${MOST_READ}`
      : `${name}: bytes ${begin} to ${end} are asked for, and it has ${size}`,
    fix: 'fetch or write the file anew: it is cut off, or has a piece that is too large',
  });
}

/** A file in memory. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  const source = { name, size: bytes.length, version: `${bytes.length}` };
  return {
    ...source,
    async read(begin, end) {
      checkRange(source, begin, end);
      return bytes.slice(begin, end);
    },
  };
}

/** Reads forward through a source in pieces of a MiB: many small neighbours cost one read. */
export class ForwardReader {
  readonly source: ByteSource;
  readonly #piece: number;
  #begin = 0;
  #bytes = new Uint8Array(0);

  constructor(source: ByteSource, piece = 2 ** 20) {
    this.source = source;
    this.#piece = piece;
  }

  /** Valid until the next call. */
  async read(begin: number, end: number): Promise<Uint8Array> {
    if (begin < this.#begin || end > this.#begin + this.#bytes.length) {
      checkRange(this.source, begin, end);
      const last = Math.min(this.source.size, Math.max(end, begin + this.#piece));
      this.#bytes = (await this.source.read(begin, last)) as Uint8Array<ArrayBuffer>;
      this.#begin = begin;
    }
    return this.#bytes.subarray(begin - this.#begin, end - this.#begin);
  }
}
