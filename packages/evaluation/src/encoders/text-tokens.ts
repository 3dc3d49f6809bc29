/** @file Texts as the text tower takes them. */
import { i32, type TensorSpec } from '@transfusion/tensor';
import type { Tokenizer } from '@transfusion/tokenizer';
import type { TextInputs } from './towers.js';

/** What a text tower needs of a tokenizer. */
export type TextTokenizer = Pick<Tokenizer, 'encode' | 'special' | 'vocabularySize'>;

export function textInputs(batch: number, maxTokens: number): TextInputs<TensorSpec> {
  return { tokens: i32(batch, maxTokens), end: i32(batch, maxTokens), last: i32(batch) };
}

/** The ids of a text with the end token behind them, at most `maxTokens` in all: the rest of a longer text is cut off. */
export function textIds(tokenizer: TextTokenizer, text: string, maxTokens: number): number[] {
  return [...tokenizer.encode(text).slice(0, maxTokens - 1), tokenizer.special.eos];
}

/** The inputs of a batch; rows without a text hold nothing, and what comes out of them means nothing. */
export function packTexts(
  texts: readonly (readonly number[])[],
  { batch, maxTokens }: { batch: number; maxTokens: number },
): TextInputs<Int32Array> {
  const tokens = new Int32Array(batch * maxTokens).fill(-1);
  const end = new Int32Array(batch * maxTokens).fill(1);
  const last = Int32Array.from({ length: batch }, (_, row) => row * maxTokens);
  texts.forEach((ids, row) => {
    tokens.set(ids, row * maxTokens);
    end.fill(ids.length, row * maxTokens, (row + 1) * maxTokens);
    last[row] += ids.length - 1;
  });
  return { tokens, end, last };
}
