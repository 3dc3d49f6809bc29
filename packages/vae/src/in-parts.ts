/** @file Long axes in parts, so that what is computed of one part makes room for the next. */

/** `part(begin, end)` of equal runs of [0, count), of at most `most` each (and at least one). */
export function inParts<T>(count: number, most: number, part: (begin: number, end: number) => T): T[] {
  const parts = Math.ceil(count / Math.max(1, Math.floor(most)));
  const length = Math.ceil(count / parts);
  return Array.from({ length: Math.ceil(count / length) }, (_, i) =>
    part(i * length, Math.min(count, (i + 1) * length)),
  );
}
