/** @file How likely a model finds texts: alone, or after a picture. */
import { nextTask } from '@transfusion/core';
import { compileLosses } from '../compile-step.js';
import type { InPartsOptions } from '../in-parts.js';
import type { EvaluationBatch } from './batches.js';
import type { TrainingDocument, TrainingExample } from './examples.js';
import type { LazyList } from './lazy-list.js';
import { objectiveOf } from './objective-of.js';
import type { TransfusionSession } from './session.js';
import type { TextRow } from './text-rows.js';

export interface TextLikelihood {
  /** Summed over the tokens, in nats; with the averaged weights. */
  negativeLogLikelihood: number;
  /** How many were predicted, the end of each text included. */
  tokens: number;
}

/** What it needs of a session; `state.ema` are the weights that are looked at. */
export type TextLikelihoodSession = Pick<TransfusionSession, 'backend' | 'state' | 'sizes' | 'source' | 'tokenizer'>;

/** Texts of one kind. */
export type LikelihoodTexts =
  /** Rows of plain text, as `session.texts` has them. */
  | { rows: readonly TextRow[] }
  /** Captions after their pictures, which are clean: BOS image caption EOS; what opens the picture is not counted. */
  | { given: readonly TrainingExample[] }
  /** The same captions alone: BOS caption, and in place of EOS the BOI that follows it where a picture is drawn of it. */
  | { alone: readonly Pick<TrainingExample, 'captionIds'>[] };

/** The likelihood of each of some lists of texts. */
export async function textLikelihoods(
  session: TextLikelihoodSession,
  texts: readonly LikelihoodTexts[],
  {
    signal,
    onProgress,
  }: Pick<InPartsOptions, 'signal'> & {
    /** Told how many batches are done, of `total`. */
    onProgress?: (done: number, total: number) => void;
  } = {},
): Promise<TextLikelihood[]> {
  const { backend, state, sizes } = session;
  const batches = texts.map((some) => batchesOf(session, some));
  const total = batches.reduce((sum, some) => sum + some.length, 0);
  const objective = objectiveOf({ ...sizes, noise: 'given' });
  const compiled = await compileLosses(backend, objective, { parameters: state.ema, constants: state.constants });
  try {
    let done = 0;
    const likelihoods: TextLikelihood[] = [];
    for (const some of batches) {
      const sums = { negativeLogLikelihood: 0, tokens: 0 };
      for (const { arrays, targets } of some) {
        await nextTask();
        signal?.throwIfAborted();
        sums.negativeLogLikelihood += (await compiled.run({ batch: arrays })).language[0];
        sums.tokens += targets;
        onProgress?.(++done, total);
      }
      likelihoods.push(sums);
    }
    return likelihoods;
  } finally {
    compiled.dispose();
  }
}

function batchesOf(
  { source, tokenizer, sizes }: TextLikelihoodSession,
  texts: LikelihoodTexts,
): LazyList<EvaluationBatch> {
  const { bos, boi } = tokenizer.special;
  if ('rows' in texts) return source.evaluation({ texts: texts.rows });
  if ('alone' in texts) {
    const whole = texts.alone.map(({ captionIds }) => [bos, ...captionIds, boi]);
    return source.evaluation({ texts: filledRows(whole, sizes.batch.sequenceLength) });
  }
  return source.evaluation({ documents: texts.given.map(describing) }).map((batch) => withoutOpening(batch, bos));
}

/** In their order, as many in a row as find room. */
function filledRows(texts: readonly number[][], sequenceLength: number): TextRow[] {
  const rows: number[][][] = [];
  let room = 0;
  for (const text of texts) {
    if (text.length > room) {
      rows.push([]);
      room = sequenceLength;
    }
    rows[rows.length - 1].push(text);
    room -= text.length;
  }
  return rows;
}

function describing({
  captionIds,
  grid,
  variants,
  width,
  height,
  pixels,
  name,
  group,
}: TrainingExample): TrainingDocument {
  const picture = { kind: 'image' as const, role: 'context' as const, width, height, pixels, grid, variants };
  return { name, group, parts: [picture, { kind: 'text', ids: captionIds }] };
}

/** Whether an image begins a document or a text does is nothing that the caption says. */
function withoutOpening({ arrays, targets, images }: EvaluationBatch, bos: number): EvaluationBatch {
  const tokens = arrays.tokens as Int32Array;
  const kept = (arrays.targets as Int32Array).slice();
  let dropped = 0;
  kept.forEach((target, i) => {
    if (tokens[i] !== bos || target < 0) return;
    kept[i] = -1;
    dropped++;
  });
  return { arrays: { ...arrays, targets: kept }, targets: targets - dropped, images };
}
