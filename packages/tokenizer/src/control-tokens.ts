/** @file The five control tokens of a Transfusion sequence, found in a tokenizer or added after its vocabulary. */
import { TokenizerError } from './errors.js';
import { type AddedToken, addedToken } from './tokenizer-json.js';
import type { Vocabulary } from './vocabulary.js';

/** Ids of the control tokens. */
export interface ControlTokens {
  /** Starts a document. */
  bos: number;
  /** Ends a document. */
  eos: number;
  /** Stands before an image's patches; sampling it starts an image. */
  boi: number;
  /** Stands after an image's patches. */
  eoi: number;
  /** Fills rows; never predicted. */
  pad: number;
}

export type ControlTokenName = keyof ControlTokens;

const NAMES: ControlTokenName[] = ['bos', 'eos', 'boi', 'eoi', 'pad'];

/** Spellings under which a tokenizer may hold a control token already; the first is what is added where none does. */
const SPELLINGS: Record<ControlTokenName, string[]> = {
  bos: ['<|bos|>', '<s>', '<|begin_of_text|>', '<bos>'],
  eos: ['<|eos|>', '</s>', '<|end_of_text|>', '<eos>', '<|endoftext|>'],
  boi: ['<|boi|>'],
  eoi: ['<|eoi|>'],
  pad: ['<|pad|>', '<pad>'],
};

export interface ResolvedControlTokens {
  special: ControlTokens;
  /** The file's added tokens, and the control tokens that it lacked. */
  addedTokens: AddedToken[];
  /** One more than the largest id. */
  vocabularySize: number;
}

/**
 * Finds each control token by its spelling among the special tokens (or, for the first spelling, the vocabulary) of a
 * tokenizer; the missing ones get the next free ids, in the order bos, eos, boi, eoi, pad.
 *
 * @param fileTokens the file's added tokens
 * @param spellings overrides, e.g. `{ eos: '<|im_end|>' }`
 * @param others further special tokens, which get ids after those where the file has none of that spelling
 */
export function resolveControlTokens(
  vocabulary: Vocabulary,
  fileTokens: readonly AddedToken[],
  spellings: Partial<Record<ControlTokenName, string>> = {},
  others: readonly string[] = [],
): ResolvedControlTokens {
  const addedTokens = fileTokens.map((token) => ({ ...token }));
  let nextId = 0;
  for (const id of vocabulary.tokens.keys()) nextId = Math.max(nextId, id + 1);
  for (const { id } of addedTokens) nextId = Math.max(nextId, id + 1);

  const special: Partial<ControlTokens> = {};
  for (const name of NAMES) {
    const override = spellings[name];
    const candidates = override === undefined ? SPELLINGS[name] : [override];
    const taken = new Set<number | undefined>([vocabulary.unknown, ...Object.values(special)]);
    const existing = candidates
      .map((spelling) => {
        return addedTokens.find((token) => {
          return token.content === spelling && (token.special || override !== undefined) && !taken.has(token.id);
        });
      })
      .find((token) => token !== undefined);
    if (existing) {
      existing.special = true;
      special[name] = existing.id;
      continue;
    }
    const [content] = candidates;
    const id = vocabulary.ids.get(content) ?? nextId++;
    if (taken.has(id) || addedTokens.some((token) => token.content === content)) {
      throw new TokenizerError({
        code: 'TOKENIZER_CONTROL_TOKENS',
        message: `control token ${name} is spelled ${JSON.stringify(content)}, which already has another use (id ${vocabulary.ids.get(content) ?? addedTokens.find((token) => token.content === content)?.id})`,
        fix: `give the option controlTokens with a spelling for ${name} that the file has no other use for`,
      });
    }
    addedTokens.push(addedToken({ id, content, special: true }));
    special[name] = id;
  }
  for (const content of others) {
    if (addedTokens.some((token) => token.content === content && token.special)) continue;
    if (vocabulary.ids.has(content) || addedTokens.some((token) => token.content === content)) {
      throw new TokenizerError({
        code: 'TOKENIZER_CONTROL_TOKENS',
        message: `special token ${JSON.stringify(content)} already has another use in the file`,
        fix: 'use a tokenizer whose texts cannot spell it',
      });
    }
    addedTokens.push(addedToken({ id: nextId++, content, special: true }));
  }
  return { special: special as ControlTokens, addedTokens, vocabularySize: nextId };
}
