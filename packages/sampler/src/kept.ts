/** @file What is made at its first use and then kept, such as compiled functions. */

export class Kept<Value extends { dispose(): void }> {
  readonly #values = new Map<string, Promise<Value>>();

  /** What was made before under this name, or what `make` gives. What failed, say for lack of memory, is made again by the next call. */
  get(name: string, make: () => Promise<Value>): Promise<Value> {
    const known = this.#values.get(name);
    if (known) return known;
    const made = make();
    this.#values.set(name, made);
    made.catch(() => this.#values.delete(name));
    return made;
  }

  /** Frees all of it once it is made. */
  dispose(): void {
    for (const made of this.#values.values()) {
      made.then(
        (value) => value.dispose(),
        () => {},
      );
    }
  }
}
