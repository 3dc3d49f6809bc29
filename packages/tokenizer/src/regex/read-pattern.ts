/** @file The `pattern` of Split and Replace: a literal or a regular expression. */
import { z } from 'zod';
import type { Place } from '../unsupported.js';
import { compileOniguruma } from './compile.js';
import { literalMatcher, type Matcher, regexMatcher } from './matches.js';

export const patternSchema = z.union([z.strictObject({ String: z.string() }), z.strictObject({ Regex: z.string() })]);

/** @throws TokenizerError TOKENIZER_UNSUPPORTED */
export function readPattern(pattern: z.output<typeof patternSchema>, place: Place): Matcher {
  if ('Regex' in pattern) return regexMatcher(compileOniguruma(pattern.Regex, place));
  if (pattern.String === '') throw place.unsupported('its pattern is empty');
  return literalMatcher(pattern.String);
}
