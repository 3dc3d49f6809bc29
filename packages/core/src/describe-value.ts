/** @file What a value is, in words, for errors. */

const MOST_CHARACTERS = 60;

/** The built-in name of an object's class, of whichever realm or copy: `Float32Array` (also of a Buffer: `Uint8Array`). */
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

/** The value itself, as one would write it, cut short; what cannot be written as JSON by its kind. */
export function describeValue(value: unknown): string {
  const text = valueText(value);
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS - 3)}...` : text;
}

function valueText(value: unknown): string {
  // JSON has neither NaN nor infinities.
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'object' && !Array.isArray(value) && value !== null && tagOf(value) !== 'Object') {
    return describeKind(value);
  }
  try {
    return JSON.stringify(value) ?? describeKind(value);
  } catch {
    // It holds itself, or a bigint.
    return describeKind(value);
  }
}
