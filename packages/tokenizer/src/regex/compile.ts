/** @file Compiles a regular expression of the native library (Oniguruma, Ruby's syntax) to JavaScript's `v` flag. */
import type { Place } from '../unsupported.js';
import { PatternParser } from './pattern-parser.js';
import { PatternProblem } from './pattern-scanner.js';

const MAX_LENGTH = 10_000;

/** @throws TokenizerError TOKENIZER_UNSUPPORTED for what has no exact counterpart */
export function compileOniguruma(pattern: string, place: Place): RegExp {
  try {
    if (pattern.length > MAX_LENGTH) throw new PatternProblem(`it has ${pattern.length} characters`);
    return new RegExp(new PatternParser(pattern).parse(), 'gv');
  } catch (error) {
    if (!(error instanceof PatternProblem || error instanceof SyntaxError || error instanceof RangeError)) throw error;
    const shown = pattern.length > 100 ? `${pattern.slice(0, 100)}...` : pattern;
    throw place.unsupported(
      `the regular expression ${JSON.stringify(shown)} cannot be used: ${error.message}`,
      'write the pattern without it, if you can show that it matches the same',
    );
  }
}
