/** @file Finds all tokens that a text goes on with, without a trie: a sorted list, narrowed character by character. */

export class PieceIndex {
  readonly #sorted: string[];
  /** Of every first character, where in the list its tokens begin and end. */
  readonly #ranges = new Map<number, { begin: number; end: number }>();

  constructor(pieces: string[]) {
    this.#sorted = pieces.filter((piece) => piece !== '').sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    this.#sorted.forEach((piece, i) => {
      const range = this.#ranges.get(piece.charCodeAt(0));
      if (range) range.end = i + 1;
      else this.#ranges.set(piece.charCodeAt(0), { begin: i, end: i + 1 });
    });
  }

  /** Calls `visit` with every token that stands in the text at `start`, shortest first. */
  forEachPrefix(text: string, start: number, visit: (piece: string) => void): void {
    const range = this.#ranges.get(text.charCodeAt(start));
    if (!range) return;
    let { begin, end } = range;
    // All of [begin, end) share their first `length` characters with the text.
    for (let length = 1; begin < end; length++) {
      if (this.#sorted[begin].length === length) visit(this.#sorted[begin++]);
      const unit = text.charCodeAt(start + length);
      if (Number.isNaN(unit)) return;
      begin = this.#lowerBound(begin, end, length, unit);
      end = this.#lowerBound(begin, end, length, unit + 1);
    }
  }

  /** The first token in [begin, end) whose character at `position` is `unit` or more. */
  #lowerBound(begin: number, end: number, position: number, unit: number): number {
    let low = begin;
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle].charCodeAt(position) < unit) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
