/** @file Part `text`: how likely the model finds what it has never read. */
import { bitsPerByte, perplexity, utf8Bytes } from '@transfusion/evaluation';
import { type LikelihoodTexts, type TextLikelihood, textLikelihoods, textsOfRows } from '@transfusion/training';
import { WORDNET } from '../data/dataset.js';
import type { ScoreInput } from '../report/evaluation-file.js';
import { type Examination, withBar } from './examination.js';
import { datasetWords, type PartResult } from './part.js';

interface Text {
  name: string;
  dataset: string;
  split: string;
  texts: LikelihoodTexts;
  bytes: number;
  count: number;
}

export async function textPart(examination: Examination): Promise<PartResult | string> {
  const { session, terminal } = examination;
  const leftOut: string[] = [];
  const texts = [...plainTexts(examination, leftOut), ...captions(examination, leftOut)];
  if (texts.length === 0) return 'no text and no caption is held out';
  const likelihoods = await withBar(terminal, 'read texts', (update) =>
    textLikelihoods(
      session,
      texts.map((one) => one.texts),
      { signal: terminal.signal, onProgress: (done, total) => update(done, total) },
    ),
  );
  const measured = texts.map((text, i) => ({ ...text, ...likelihoods[i] }));
  return {
    scores: measured.flatMap(scoresOf),
    html: '',
    leftOut,
    details: measured.map(({ texts: _, ...rest }) => rest),
  };
}

function scoresOf({ name, dataset, split, bytes, count, ...likelihood }: Text & TextLikelihood): ScoreInput[] {
  const common = { task: 'text-generation' as const, dataset, split, count, better: 'lower' as const };
  return [
    { ...common, name: `perplexity of ${name}`, value: perplexity(likelihood) },
    { ...common, name: `bits per byte of ${name}`, value: bitsPerByte({ ...likelihood, bytes }) },
  ];
}

function plainTexts({ session, config, count }: Examination, leftOut: string[]): Text[] {
  const { texts, tokenizer } = session;
  if (texts.heldOut.length === 0) {
    leftOut.push('perplexity of plain texts: none is held out');
    return [];
  }
  const rows = texts.heldOut.slice(0, count);
  const whole = textsOfRows(rows, tokenizer.special);
  const bytes = whole.reduce((sum, ids) => sum + utf8Bytes(tokenizer.decode(ids)), 0);
  const dataset = config.data.texts === WORDNET ? 'glosses of WordNet' : 'plain texts';
  return [{ name: 'plain texts', dataset, split: 'held out', texts: { rows }, bytes, count: whole.length }];
}

/** With their pictures, and without. */
function captions(examination: Examination, leftOut: string[]): Text[] {
  const { session, sets, config } = examination;
  if (sets.heldOut.length === 0) leftOut.push('perplexity of captions: none is held out');
  return sets.heldOut.flatMap(({ id, words }): Text[] => {
    const given = session.examples.heldOut.filter(({ heldOutAs = 'heldOut' }) => heldOutAs === id);
    const bytes = given.reduce((sum, { caption = '' }) => sum + utf8Bytes(caption), 0);
    const common = { dataset: datasetWords(examination), split: words, bytes, count: given.length };
    const alone: Text = { ...common, name: 'captions alone', texts: { alone: given } };
    if (config.model.images === 'none') return [alone];
    return [{ ...common, name: 'captions, given their picture', texts: { given } }, alone];
  });
}
