/** @file Hexadecimal ranges of code points as a class of a regular expression. */

/** The inside of a character class: `'61-63 65'` is `\u{61}-\u{63}\u{65}`. */
export function classBody(ranges: string): string {
  return ranges.replace(/[0-9a-f]+/g, (hex) => `\\u{${hex}}`).replace(/\s+/g, '');
}

/**
 * All characters that a class does not have, for the `v` flag: V8 (of Node 20) takes a negated class in a counted
 * repetition for its opposite.
 */
export function complement(set: string): string {
  return `[\\p{Any}--${set}]`;
}

/** Matches every character of the ranges, or (`outside`) runs of all others. */
export function characterRegex(ranges: string, options: { outside?: boolean } = {}): RegExp {
  return new RegExp(options.outside ? `[^${classBody(ranges)}]+` : `[${classBody(ranges)}]`, 'gu');
}
