/** @file Token ids to text as they come: characters may be spread over several tokens. */

export interface IdDecoder {
  decode(ids: ArrayLike<number>): string;
}

const REPLACEMENT = '\ufffd';

/**
 * Gives each piece of text once it is complete. Decodes from a little before the new tokens, because what a token spells
 * may depend on the one before it (a leading space).
 */
export class IncrementalText {
  readonly #decoder: IdDecoder;
  readonly #ids: number[] = [];
  /** Ids from here on give the context of those from `#read` on, which have not been given yet. */
  #context = 0;
  #read = 0;

  constructor(decoder: IdDecoder) {
    this.#decoder = decoder;
  }

  get ids(): readonly number[] {
    return this.#ids;
  }

  /** The whole text so far. */
  get text(): string {
    return this.#decoder.decode(this.#ids);
  }

  /** The text that a token completes; empty while a character is not complete. */
  push(id: number): string {
    this.#ids.push(id);
    const known = this.#decoder.decode(this.#ids.slice(this.#context, this.#read));
    const whole = this.#decoder.decode(this.#ids.slice(this.#context));
    if (whole.endsWith(REPLACEMENT) || whole.length <= known.length) return '';
    this.#context = this.#read;
    this.#read = this.#ids.length;
    return whole.slice(known.length);
  }

  /** What is left at the end, incomplete characters as U+FFFD. */
  flush(): string {
    const known = this.#decoder.decode(this.#ids.slice(this.#context, this.#read));
    const whole = this.#decoder.decode(this.#ids.slice(this.#context));
    this.#context = this.#read;
    this.#read = this.#ids.length;
    return whole.slice(known.length);
  }
}
