/** @file Token ids to text as they come: characters may be spread over several tokens. */

export interface IdDecoder {
  /** @param options.context ids before these, on which their text may depend; it is not part of the result */
  decode(ids: ArrayLike<number>, options?: { context?: ArrayLike<number> }): string;
}

const REPLACEMENT = '\ufffd';

/**
 * Gives each piece of text once it is complete. Decodes behind a few tokens more, because what a token spells may depend
 * on the one before it (a leading space).
 */
export class IncrementalText {
  readonly #decoder: IdDecoder;
  /** The ids of the text that this one continues. */
  readonly #before: readonly number[];
  readonly #ids: number[] = [];
  /** Ids from here on give the context of those from `#read` on, which have not been given yet. */
  #context = 0;
  #read = 0;

  /** @param before the ids of the text that this one continues, such as a prompt; default: none */
  constructor(decoder: IdDecoder, before: readonly number[] = []) {
    this.#decoder = decoder;
    this.#before = before;
  }

  /** The text that a token completes; empty while a character is not complete. */
  push(id: number): string {
    this.#ids.push(id);
    const pending = this.#pending();
    if (pending === '' || pending.endsWith(REPLACEMENT)) return '';
    this.#advance();
    return pending;
  }

  /** What is left at the end, incomplete characters as U+FFFD. */
  flush(): string {
    const pending = this.#pending();
    this.#advance();
    return pending;
  }

  /** The text that has not been given yet. */
  #pending(): string {
    const recent = this.#ids.slice(this.#context, this.#read);
    const context = this.#context === 0 ? [...this.#before, ...recent] : recent;
    return this.#decoder.decode(this.#ids.slice(this.#read), { context });
  }

  #advance(): void {
    this.#context = this.#read;
    this.#read = this.#ids.length;
  }
}
