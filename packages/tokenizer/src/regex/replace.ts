/** @file Replace, which is a normalizer and a decoder. */
import { z } from 'zod';
import type { ComponentConfig, Place } from '../unsupported.js';
import { patternSchema, readPattern } from './read-pattern.js';

const optionsSchema = z.looseObject({ pattern: patternSchema, content: z.string() });

/** @throws TokenizerError TOKENIZER_FORMAT, TOKENIZER_UNSUPPORTED */
export function readReplace(config: ComponentConfig, place: Place): (text: string) => string {
  const { pattern, content } = place.read(optionsSchema, config);
  if ('String' in pattern && pattern.String !== '') return (text) => text.replaceAll(pattern.String, () => content);
  const matcher = readPattern(pattern, place);
  return (text) => {
    return matcher(text)
      .map(({ start, end, isMatch }) => (isMatch ? content : text.slice(start, end)))
      .join('');
  };
}
