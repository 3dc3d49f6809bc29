/** @file How tokens become text again: the `decoder` of a `tokenizer.json`. */
import { z } from 'zod';
import { byteLevelBytes } from '../byte-alphabet.js';
import { readMetaspace } from '../pre-tokenizers/metaspace.js';
import { readReplace } from '../regex/replace.js';
import type { ComponentConfig, Place } from '../unsupported.js';
import { fallbackBytes } from './byte-fallback.js';
import { cleanUp, createCtcDecoder } from './ctc.js';

/** The tokens of a text to pieces that, joined, are the text. */
export type Decoder = (tokens: string[]) => string[];

const bpeSchema = z.looseObject({ suffix: z.string() });
const wordPieceSchema = z.looseObject({ prefix: z.string(), cleanup: z.boolean() });
const stripSchema = z.looseObject({
  content: z.string().regex(/^.$/su, 'expected one character'),
  start: z.int().min(0),
  stop: z.int().min(0),
});

/** @throws TokenizerError TOKENIZER_FORMAT, TOKENIZER_UNSUPPORTED */
export function createDecoder(config: ComponentConfig, place: Place): Decoder {
  switch (config.type) {
    case 'Sequence': {
      const steps = place.children(config, 'decoders').map((child) => createDecoder(child.config, child.place));
      return (tokens) => steps.reduce((pieces, step) => step(pieces), tokens);
    }
    case 'ByteLevel': {
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
      return (tokens) => [decoder.decode(Uint8Array.from(tokens.flatMap(byteLevelBytes)))];
    }
    case 'ByteFallback':
      return fallbackBytes;
    case 'Fuse':
      return (tokens) => [tokens.join('')];
    case 'Replace': {
      const replace = readReplace(config, place);
      return (tokens) => tokens.map(replace);
    }
    case 'CTC':
      return createCtcDecoder(config, place);
    case 'Metaspace':
      return createMetaspaceDecoder(config, place);
    case 'WordPiece':
      return createWordPieceDecoder(config, place);
    case 'Strip':
      return createStripDecoder(config, place);
    case 'BPEDecoder': {
      const { suffix } = place.read(bpeSchema, config);
      if (suffix === '') throw place.unsupported('its suffix is empty');
      return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? '' : ' '));
    }
    default:
      throw place.unsupported(`there is no decoder ${JSON.stringify(config.type)}`);
  }
}

/** The first token loses its spaces, which encoding had put there. */
function createMetaspaceDecoder(config: ComponentConfig, place: Place): Decoder {
  const { replacement, prepend_scheme: scheme } = readMetaspace(config, place);
  return (tokens) => {
    return tokens.map((token, i) => token.replaceAll(replacement, i === 0 && scheme !== 'never' ? '' : ' '));
  };
}

function createWordPieceDecoder(config: ComponentConfig, place: Place): Decoder {
  const { prefix, cleanup } = place.read(wordPieceSchema, config);
  return (tokens) => {
    const pieces = tokens.map((token, i) => {
      if (i === 0) return token;
      return token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
    });
    return cleanup ? pieces.map(cleanUp) : pieces;
  };
}

function createStripDecoder(config: ComponentConfig, place: Place): Decoder {
  const { content, start, stop } = place.read(stripSchema, config);
  return (tokens) => {
    return tokens.map((token) => {
      const characters = Array.from(token);
      let begin = 0;
      while (begin < Math.min(start, characters.length) && characters[begin] === content) begin++;
      let end = characters.length;
      while (end > begin && characters.length - end < stop && characters[end - 1] === content) end--;
      return characters.slice(begin, end).join('');
    });
  };
}
