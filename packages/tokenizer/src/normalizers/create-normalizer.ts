/** @file What is done to a text before it is cut: the `normalizer` of a `tokenizer.json`. */
import { z } from 'zod';
import { byteLevelText } from '../byte-alphabet.js';
import { readReplace } from '../regex/replace.js';
import { characterRegex } from '../unicode/character-class.js';
import { MARK } from '../unicode/native-tables.js';
import { spaceEnd, spaceStart } from '../unicode/white-space.js';
import type { ComponentConfig, Place } from '../unsupported.js';
import { createBertNormalizer } from './bert-normalizer.js';
import { createPrecompiled } from './precompiled.js';
import { lowercase, normalizationForm } from './unicode.js';

export type Normalizer = (text: string) => string;

const stripSchema = z.looseObject({ strip_left: z.boolean(), strip_right: z.boolean() });
const prependSchema = z.looseObject({ prepend: z.string() });

const marks = characterRegex(MARK);
/** SentencePiece's rules for translation: control characters go, all kinds of space become one kind. */
const nmtRemoved = characterRegex('1-8 b e-1f 7f 8f 9f');
const nmtSpaces = characterRegex('9 a c d 1680 200b-200f 2028 2029 2581 feff fffd');

/** @throws TokenizerError TOKENIZER_FORMAT, TOKENIZER_UNSUPPORTED */
export function createNormalizer(config: ComponentConfig, place: Place): Normalizer {
  switch (config.type) {
    case 'Sequence': {
      const steps = place.children(config, 'normalizers').map((child) => createNormalizer(child.config, child.place));
      return (text) => steps.reduce((result, step) => step(result), text);
    }
    case 'BertNormalizer':
      return createBertNormalizer(config, place);
    case 'Precompiled':
      return createPrecompiled(config, place);
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return normalizationForm(config.type);
    case 'Lowercase':
      return lowercase;
    case 'StripAccents':
      return (text) => text.replace(marks, '');
    case 'Strip': {
      const { strip_left, strip_right } = place.read(stripSchema, config);
      return (text) => {
        const end = strip_right ? spaceStart(text, text.length) : text.length;
        return text.slice(strip_left ? spaceEnd(text, 0) : 0, end);
      };
    }
    case 'Prepend': {
      const { prepend } = place.read(prependSchema, config);
      return (text) => (text === '' ? '' : prepend + text);
    }
    case 'Replace':
      return readReplace(config, place);
    case 'Nmt':
      return (text) => text.replace(nmtRemoved, '').replace(nmtSpaces, ' ');
    case 'ByteLevel':
      return byteLevelText;
    default:
      throw place.unsupported(`there is no normalizer ${JSON.stringify(config.type)}`);
  }
}
