/** @file The tokenizer that a page trains is the one that the native trainer makes of the same captions. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@transfusion/tokenizer';
import { trainByteLevelBpe } from '@transfusion/tokenizer/train';
import { trainTokenizer } from './train-tokenizer.js';

const labels = join(__dirname, '../../../../node_modules/emojibase-data/en/data.json');
const captions = (JSON.parse(readFileSync(labels, 'utf8')) as { label: string }[]).map(({ label }) => label);

test.each([
  ['of 32 captions', captions.slice(0, 32), 300],
  ['of all captions of emoji', captions, 700],
  ['more ids than there are merges', captions.slice(0, 8), 2000],
  ['digits, marks, lines, other scripts', ["it's 12 o'clock!!\n\nÉté, 東京 東京  東京", 'a  a a\ta'], 320],
])('%s', async (_, texts, vocabularySize) => {
  const native = await trainByteLevelBpe({ texts: [...texts], vocabularySize });
  expect(trainTokenizer(texts, vocabularySize)).toEqual(native);
});

test('any text comes back', () => {
  const tokenizer = new Tokenizer(trainTokenizer(captions, 500));
  for (const text of ['red heart', 'Ünïcödé 🎈 \n\t ', '']) expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
});
