/** @file Named sets of characters of Oniguruma, as classes for JavaScript's `v` flag. */
import { classBody } from '../unicode/character-class.js';
import { SINCE_UNICODE_17 } from '../unicode/native-tables.js';

const newer = `[${classBody(SINCE_UNICODE_17)}]`;

/** The native library's tables are those of Unicode 16: what came later has no property. */
function since16(body: string): string {
  return `[[${body}]--${newer}]`;
}

const word = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}';
const digit = since16('\\p{Nd}');
const LOWERCASE = since16('\\p{Lowercase}\\u{295}');
const space = '[\\p{White_Space}]';

/** `\w` alone has superscript digits and fractions of Latin-1 too. */
export const WORD = since16(`${word}\\u{b2}\\u{b3}\\u{b9}\\u{bc}-\\u{be}`);

/** `\w`, `\d`, `\s`, `\h` in a class. */
export const CLASS_ESCAPES: Record<string, string> = { w: since16(word), d: digit, s: space, h: '[0-9A-Fa-f]' };

/** `\w`, `\d`, `\s`, `\h` outside of classes. */
export const ESCAPES: Record<string, string> = { ...CLASS_ESCAPES, w: WORD };

/** `[:alpha:]` and so on. */
export const POSIX_CLASSES: Record<string, string> = {
  alnum: since16('\\p{Alphabetic}\\p{Nd}'),
  alpha: since16('\\p{Alphabetic}'),
  digit,
  lower: LOWERCASE,
  punct: since16('\\p{P}\\p{S}'),
  space,
  upper: since16('\\p{Uppercase}'),
};

const generalCategory = /^(?:C[cfnos]?|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?)$/;
const binaryProperty = /^(?:Alphabetic|Uppercase|White_Space)$/;
const otherCategory = /^C[no]?$/;

/** `\p{name}`, for general categories by their short names and scripts by their long ones. */
export function propertySet(name: string): string | undefined {
  // Unicode 17 took U+0295 from the lower-case letters.
  if (name === 'Ll') return since16('\\p{Ll}\\u{295}');
  if (name === 'Lo') return since16('[\\p{Lo}--\\u{295}]');
  if (name === 'Lowercase') return LOWERCASE;
  if (otherCategory.test(name)) return name === 'Co' ? '[\\p{Co}]' : `[\\p{${name}}${newer}]`;
  if (generalCategory.test(name) || binaryProperty.test(name)) return since16(`\\p{${name}}`);
  if (!/^[A-Z][A-Za-z_]+$/.test(name)) return undefined;
  try {
    new RegExp(`\\p{Script=${name}}`, 'u');
    return since16(`\\p{Script=${name}}`);
  } catch {
    return undefined;
  }
}
