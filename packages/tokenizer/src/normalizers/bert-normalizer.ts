/** @file BERT's cleaning of text: control characters, Chinese characters, accents, case. */
import { z } from 'zod';
import { characterRegex } from '../unicode/character-class.js';
import { NONSPACING_MARK, OTHER } from '../unicode/native-tables.js';
import type { ComponentConfig, Place } from '../unsupported.js';
import { lowercase, normalizationForm } from './unicode.js';

const optionsSchema = z.looseObject({
  clean_text: z.boolean(),
  handle_chinese_chars: z.boolean(),
  strip_accents: z.boolean().nullish(),
  lowercase: z.boolean(),
});

const removed = characterRegex(`0 fffd ${OTHER}`);
const space = /\p{White_Space}/gu;
const chinese = characterRegex('3400-4dbf 4e00-9fff f900-faff 20000-2a6df 2a700-2b81f 2b920-2ceaf 2f800-2fa1f');
const accents = characterRegex(NONSPACING_MARK);
const decompose = normalizationForm('NFD');

/** @throws TokenizerError TOKENIZER_FORMAT */
export function createBertNormalizer(config: ComponentConfig, place: Place): (text: string) => string {
  const options = place.read(optionsSchema, config);
  const stripAccents = options.strip_accents ?? options.lowercase;
  return (text) => {
    let result = text;
    if (options.clean_text) result = result.replace(removed, '').replace(space, ' ');
    if (options.handle_chinese_chars) result = result.replace(chinese, ' $& ');
    if (stripAccents) result = decompose(result).replace(accents, '');
    return options.lowercase ? lowercase(result) : result;
  };
}
