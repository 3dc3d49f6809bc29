/** @file One text of a document while it is written: what may be shown of it so far, and where it stops. */
import { type IdDecoder, IncrementalText } from './incremental-text.js';

export class TextStream {
  readonly #incoming: IncrementalText;
  readonly #stops: readonly string[];
  /** What may turn out to be the beginning of a stop text. */
  #held = '';
  #text = '';
  #stopped = false;

  /**
   * @param options.before ids of the text that this one continues; default: none
   * @param options.stop texts that end this one; they and what follows are left out of it
   */
  constructor(decoder: IdDecoder, options: { before?: readonly number[]; stop: readonly string[] }) {
    this.#incoming = new IncrementalText(decoder, options.before);
    this.#stops = options.stop;
  }

  /** All that was given so far. */
  get text(): string {
    return this.#text;
  }

  /** Whether a stop text has come. Nothing is given after it. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** What a token adds for sure: complete characters that no stop text can still take away. */
  push(id: number): string {
    return this.#give(this.#incoming.push(id));
  }

  /** What is left at the end; an incomplete character as U+FFFD. */
  end(): string {
    const last = this.#give(this.#incoming.flush());
    const held = this.#held;
    this.#held = '';
    this.#text += held;
    return last + held;
  }

  #give(piece: string): string {
    if (this.#stopped) return '';
    const pending = this.#held + piece;
    const found = this.#stops.map((stop) => pending.indexOf(stop)).filter((index) => index >= 0);
    this.#stopped = found.length > 0;
    const length = this.#stopped ? Math.min(...found) : pending.length - this.#beginningOfStop(pending);
    this.#held = this.#stopped ? '' : pending.slice(length);
    const given = pending.slice(0, length);
    this.#text += given;
    return given;
  }

  /** Length of the longest end of a text with which a stop text begins. */
  #beginningOfStop(text: string): number {
    const lengths = this.#stops.map((stop) => {
      let length = Math.min(stop.length - 1, text.length);
      while (!text.endsWith(stop.slice(0, length))) length--;
      return length;
    });
    return Math.max(0, ...lengths);
  }
}
