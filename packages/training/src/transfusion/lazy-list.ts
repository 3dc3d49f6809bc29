/** @file A list whose elements are made when they are looked at, each time anew: batches that together would not fit into memory. */

export class LazyList<Element> implements Iterable<Element> {
  readonly #makers: readonly (() => Element)[];

  constructor(makers: readonly (() => Element)[]) {
    this.#makers = makers;
  }

  get length(): number {
    return this.#makers.length;
  }

  *[Symbol.iterator](): Generator<Element, void> {
    for (const make of this.#makers) yield make();
  }

  map<Other>(change: (element: Element) => Other): LazyList<Other> {
    return new LazyList(this.#makers.map((make) => () => change(make())));
  }
}
