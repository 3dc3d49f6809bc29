/** @file What a value is, in words, for errors. */

/** The built-in name of an object's class, of whichever realm or copy, such as `Float32Array`. */
export function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** "a plain array", "an Int8Array", "nothing". */
export function describeKind(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a plain array';
  const kind = typeof value === 'object' ? tagOf(value) : typeof value;
  if (kind === 'Object') return 'a plain object';
  return `${/^[AEIO]/i.test(kind) ? 'an' : 'a'} ${kind}`;
}
