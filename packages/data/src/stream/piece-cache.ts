/** @file Pieces of shards as they were read, the most recently used ones, within a number of bytes. */
import { limited } from './limited.js';

/** Requests at once. */
const READ_AT_ONCE = 4;

type Encoded = (Uint8Array | undefined)[];

export interface PieceCacheOptions<Piece> {
  pieces: readonly Piece[];
  bytesOf(piece: number): number;
  read(piece: Piece): Promise<Encoded>;
  /** Of all that is held. What is being used is held in any case. */
  bytes: number;
}

export class PieceCache<Piece = unknown> {
  readonly #options: PieceCacheOptions<Piece>;
  /** The most recently used one last. */
  readonly #held = new Map<number, Promise<Encoded>>();
  readonly #reading = limited(READ_AT_ONCE);
  #heldBytes = 0;
  #wanted: readonly number[] = [];
  #isReadingAhead = false;

  constructor(options: PieceCacheOptions<Piece>) {
    this.#options = options;
  }

  get(piece: number): Promise<Encoded> {
    const { pieces, bytesOf, read, bytes } = this.#options;
    const known = this.#held.get(piece);
    if (known) {
      this.#held.delete(piece);
      this.#held.set(piece, known);
      return known;
    }
    const made = this.#reading(() => read(pieces[piece]));
    this.#held.set(piece, made);
    this.#heldBytes += bytesOf(piece);
    // What could not be read is tried again when it is asked for again.
    made.catch(() => this.#drop(piece, made));
    for (const old of this.#held.keys()) {
      if (this.#heldBytes <= bytes || old === piece) break;
      this.#drop(old);
    }
    return made;
  }

  /** Reads these in the background, one at a time, in place of those asked for before. Errors show when one is used. */
  readAhead(pieces: readonly number[]): void {
    if (pieces === this.#wanted) return;
    this.#wanted = pieces;
    if (this.#isReadingAhead) return;
    this.#isReadingAhead = true;
    void this.#readWanted().finally(() => {
      this.#isReadingAhead = false;
    });
  }

  /** Each once, whatever becomes of it: others may take its place. */
  async #readWanted(): Promise<void> {
    for (let wanted: readonly number[] | undefined; wanted !== this.#wanted; ) {
      wanted = this.#wanted;
      for (const piece of wanted) {
        if (wanted !== this.#wanted) break;
        if (!this.#held.has(piece)) await this.get(piece).catch(() => {});
      }
    }
  }

  #drop(piece: number, only?: Promise<Encoded>): void {
    const held = this.#held.get(piece);
    if (!held || (only && held !== only)) return;
    this.#held.delete(piece);
    this.#heldBytes -= this.#options.bytesOf(piece);
  }
}
