/** @file What is made at its first use and then kept, such as compiled functions. */

export class Kept<Value extends { dispose(): void }> {
  /** Least recently used first. */
  readonly #values = new Map<string, Promise<Value>>();
  readonly #most: number;

  /** @param most beyond so many, what was unused for longest is freed; default: all are kept */
  constructor(most = Number.POSITIVE_INFINITY) {
    this.#most = most;
  }

  /** What was made before under this name, or what `make` gives. What failed, say for lack of memory, is made again by the next call. */
  get(name: string, make: () => Promise<Value>): Promise<Value> {
    const known = this.#values.get(name);
    if (known) {
      this.#values.delete(name);
      this.#values.set(name, known);
      return known;
    }
    const made = make();
    this.#values.set(name, made);
    made.catch(() => this.#values.get(name) === made && this.#values.delete(name));
    if (this.#values.size > this.#most) this.#free([...this.#values.keys()][0]);
    return made;
  }

  /** Frees all of it once it is made. */
  dispose(): void {
    for (const name of [...this.#values.keys()]) this.#free(name);
  }

  #free(name: string): void {
    const made = this.#values.get(name);
    this.#values.delete(name);
    made?.then(
      (value) => value.dispose(),
      () => {},
    );
  }
}
