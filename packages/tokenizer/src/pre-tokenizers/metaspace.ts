/** @file Metaspace: spaces become a visible character, with which a word begins. */
import { z } from 'zod';
import { literalMatcher } from '../regex/matches.js';
import type { ComponentConfig, Place } from '../unsupported.js';
import { type PreTokenizer, splitter } from './split.js';

const schemeSchema = z.enum(['always', 'never', 'first']).default('always');

export const metaspaceSchema = z.looseObject({
  replacement: z.string().regex(/^.$/su, 'expected one character'),
  prepend_scheme: schemeSchema,
  split: z.boolean().default(true),
  add_prefix_space: z.boolean().nullish(),
});

/** @throws TokenizerError TOKENIZER_FORMAT */
export function readMetaspace(config: ComponentConfig, place: Place): z.output<typeof metaspaceSchema> {
  const options = place.read(metaspaceSchema, config);
  if (options.add_prefix_space === false && options.prepend_scheme !== 'never') {
    throw place.unsupported(
      `add_prefix_space is false, prepend_scheme ${JSON.stringify(options.prepend_scheme)}`,
      'take add_prefix_space out, or make prepend_scheme "never"',
    );
  }
  return options;
}

/** @throws TokenizerError TOKENIZER_FORMAT */
export function createMetaspacePreTokenizer(config: ComponentConfig, place: Place): PreTokenizer {
  const { replacement, prepend_scheme: scheme, split } = readMetaspace(config, place);
  const cut = splitter(literalMatcher(replacement), 'MergedWithNext');
  return (text, isFirst) => {
    if (text === '') return [];
    let replaced = text.replaceAll(' ', replacement);
    const isPrefixed = scheme === 'always' || (scheme === 'first' && isFirst);
    if (isPrefixed && !replaced.startsWith(replacement)) replaced = replacement + replaced;
    return split ? cut(replaced, isFirst) : [replaced];
  };
}
