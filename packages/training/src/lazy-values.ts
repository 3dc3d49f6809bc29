/** @file Values that are made when they are asked for. */

/** Of f32 values that are kept once they are made. */
const KEPT_BYTES = 2 ** 30;

/**
 * A map of arrays. Where all together have at most a GiB, each is made once; where they have more, again whenever it is asked for, so
 * that memory holds one at a time.
 * @param makers by name; `elements` of all
 */
export function lazyValues(
  makers: ReadonlyMap<string, () => Float32Array>,
  elements: number,
  keptBytes = KEPT_BYTES,
): ReadonlyMap<string, Float32Array> {
  return new LazyValues(makers, 4 * elements <= keptBytes);
}

class LazyValues implements ReadonlyMap<string, Float32Array> {
  readonly #makers: ReadonlyMap<string, () => Float32Array>;
  readonly #isKept: boolean;
  /** By maker: several names may share one. */
  readonly #kept = new Map<() => Float32Array, Float32Array>();

  constructor(makers: ReadonlyMap<string, () => Float32Array>, isKept: boolean) {
    this.#makers = makers;
    this.#isKept = isKept;
  }

  get size(): number {
    return this.#makers.size;
  }

  has(name: string): boolean {
    return this.#makers.has(name);
  }

  get(name: string): Float32Array | undefined {
    const make = this.#makers.get(name);
    if (!make) return undefined;
    const values = this.#kept.get(make) ?? make();
    if (this.#isKept) this.#kept.set(make, values);
    return values;
  }

  keys(): MapIterator<string> {
    return this.#makers.keys();
  }

  *values(): MapIterator<Float32Array> {
    for (const name of this.#makers.keys()) yield this.get(name)!;
  }

  *entries(): MapIterator<[string, Float32Array]> {
    for (const name of this.#makers.keys()) yield [name, this.get(name)!];
  }

  [Symbol.iterator](): MapIterator<[string, Float32Array]> {
    return this.entries();
  }

  forEach(work: (values: Float32Array, name: string, map: ReadonlyMap<string, Float32Array>) => void): void {
    for (const [name, values] of this) work(values, name, this);
  }
}
