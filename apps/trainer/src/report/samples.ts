/** @file What the model draws and writes on the way, as files to look at. */
import { writeFile } from 'node:fs/promises';
import { imageOf } from '@transfusion/data';
import { createSampler, type Sampler } from '@transfusion/sampler';
import {
  drawExamples,
  type Example,
  type Split,
  spread,
  type TrainingDocument,
  type TransfusionSession,
} from '@transfusion/training';
import { comparisonGrid } from './comparison-grid.js';
import { editGrid } from './edit-grid.js';

/** Tokens of a text that the model is given, and that it then writes. */
const GIVEN_TOKENS = 8;
const WRITTEN_TOKENS = 64;

interface SamplesOptions {
  /** The beginning of the files' names. */
  path: string;
  count: number;
  signal?: AbortSignal;
}

/** A sampler of the run's averaged weights. */
export function sessionSampler({ backend, pipeline, averaged, tokenizer, codec }: TransfusionSession): Sampler {
  return createSampler({ backend, config: pipeline, parameters: averaged, tokenizer, codec });
}

/** A document that is an edit: a picture to look at, an instruction, the result. */
function editOf({ parts }: TrainingDocument) {
  const [given, text, result] = parts;
  if (parts.length !== 3 || given.kind !== 'image' || given.role !== 'context') return undefined;
  if (text.kind !== 'text' || result.kind !== 'image' || result.role === 'context') return undefined;
  return { given: imageOf(given), ids: text.ids, result: imageOf(result) };
}

/** Edits, half of them held out: given, drawn, and the result. */
async function writeEdits(
  { documents, tokenizer, config: { seed, sampling } }: TransfusionSession,
  sampler: Sampler,
  { path, count, signal }: SamplesOptions,
): Promise<void> {
  const editsOf = (some: readonly TrainingDocument[]) => some.flatMap((document) => editOf(document) ?? []);
  const few = spread(editsOf(documents.heldOut), Math.floor(count / 2));
  const edits = [...few, ...spread(editsOf(documents.train), count - few.length)];
  if (edits.length === 0) return;
  const prompts = edits.map(({ ids }) => tokenizer.decode(Array.from(ids)));
  const drawn = await sampler.editImages({
    images: edits.map(({ given }) => given),
    prompts,
    seed,
    signal,
    ...sampling,
  });
  await writeFile(`${path}-edits.png`, editGrid(edits.map((edit, i) => ({ ...edit, drawn: drawn[i] }))));
}

/**
 * Training pictures above what is drawn of their captions, in PATH.png; the same of held-out ones, which have half of the places, in
 * PATH-held-out.png; edits, held-out ones first, in PATH-edits.png; beginnings of texts and how they go on, in PATH.txt.
 */
export async function writeSamples(session: TransfusionSession, options: SamplesOptions): Promise<void> {
  const { path, count, signal } = options;
  const { seed } = session.config;
  const { train, heldOut } = shownExamples(session.examples, count);
  const sampler = sessionSampler(session);
  try {
    const drawn = await drawExamples(sampler, [...train, ...heldOut], { seed, signal });
    const grids = [
      { file: `${path}.png`, shown: train, drawn: drawn.slice(0, train.length) },
      { file: `${path}-held-out.png`, shown: heldOut, drawn: drawn.slice(train.length) },
    ];
    for (const { file, shown, drawn } of grids) {
      if (shown.length > 0) await writeFile(file, comparisonGrid(shown.map(imageOf), drawn));
    }
    await writeEdits(session, sampler, options);
    const texts = await continueTexts(session, sampler, options);
    if (texts.length > 0) await writeFile(`${path}.txt`, texts.join('\n\n'));
  } finally {
    sampler.dispose();
  }
}

/** So many from all over the list, half of them held out where any with captions are: without one, a drawing has nothing to show. */
export function shownExamples<One extends Pick<Example, 'caption'>>(
  { train, heldOut }: Split<One>,
  count: number,
): Split<One> {
  const captioned = heldOut.filter(({ caption }) => caption !== undefined);
  const few = spread(captioned, Math.floor(count / 2));
  return { train: spread(train, count - few.length), heldOut: few };
}

/** Of the first rows: the beginning of a text, and what the model writes after it. */
async function continueTexts(
  { texts, tokenizer, config }: TransfusionSession,
  sampler: Sampler,
  { count, signal }: SamplesOptions,
) {
  const { bos } = tokenizer.special;
  const rows = texts.heldOut.length > 0 ? texts.heldOut : texts.train;
  const written: string[] = [];
  for (const [first] of rows.slice(0, count)) {
    const beginning = tokenizer.decode(first.filter((id) => id !== bos).slice(0, GIVEN_TOKENS));
    const given = { prompt: [{ text: beginning }], seed: config.seed, signal, maxTokens: WRITTEN_TOKENS, maxImages: 0 };
    let text = '';
    for await (const event of sampler.generate(given)) {
      if (event.type === 'token' || event.type === 'text') text += event.text;
    }
    written.push(`${beginning} | ${text}`);
  }
  return written;
}
