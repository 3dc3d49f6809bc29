/** @file `map` and `filter` of iterators, which Node has from version 22 and jax-js uses in `einsum`. */

interface IteratorPrototype {
  map?: unknown;
  filter?: unknown;
}

export function installIteratorHelpers(): void {
  const prototype: IteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
  prototype.map ??= function* <T, U>(this: Iterable<T>, transform: (value: T) => U) {
    for (const value of this) yield transform(value);
  };
  prototype.filter ??= function* <T>(this: Iterable<T>, keep: (value: T) => boolean) {
    for (const value of this) if (keep(value)) yield value;
  };
}
