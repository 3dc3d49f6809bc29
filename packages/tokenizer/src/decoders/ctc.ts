/** @file CTC (Graves et al. 2006): repeated tokens are one; and the clean-up of English that it shares with WordPiece. */
import { z } from 'zod';
import type { ComponentConfig, Place } from '../unsupported.js';

const optionsSchema = z.looseObject({
  pad_token: z.string().min(1),
  word_delimiter_token: z.string().min(1),
  cleanup: z.boolean(),
});

/** @throws TokenizerError TOKENIZER_FORMAT */
export function createCtcDecoder(config: ComponentConfig, place: Place): (tokens: string[]) => string[] {
  const { pad_token: pad, word_delimiter_token: delimiter, cleanup } = place.read(optionsSchema, config);
  return (tokens) => {
    const pieces = tokens
      .filter((token, i) => token !== tokens[i - 1])
      .map((token) => {
        const text = token.replaceAll(pad, '');
        return cleanup ? cleanUp(text).replaceAll(delimiter, ' ') : text;
      });
    return pieces.filter((piece) => piece !== '');
  };
}

const CLEAN_UP: [string, string][] = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [' do not', " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

/** Takes out the spaces before punctuation and contractions that tokens have brought. */
export function cleanUp(text: string): string {
  return CLEAN_UP.reduce((result, [spaced, plain]) => result.replaceAll(spaced, plain), text);
}
