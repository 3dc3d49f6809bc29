/** @file Part `prompts`: what the model draws of a list of prompts, each once and unpicked. */
import { readFile } from 'node:fs/promises';
import { decodeText } from '@transfusion/checkpoint';
import { reason, TransfusionError } from '@transfusion/core';
import { encodePng, imageGrid } from '@transfusion/data';
import { promptCards, section } from '../report/evaluation-cards.js';
import { type Examination, withBar } from './examination.js';
import type { PartResult } from './part.js';

const MOST_PROMPTS = 1024;
const PER_ROW = 8;

/** A prompt a line; empty lines are none. @throws TransfusionError EVALUATE_PROMPTS */
export async function readPrompts(path: string): Promise<string[]> {
  const invalid = (what: string, cause?: unknown) =>
    new TransfusionError({
      code: 'EVALUATE_PROMPTS',
      message: `--prompts ${path}: ${what}`,
      fix: `give a text file with a prompt on each line, ${MOST_PROMPTS} at most`,
      cause,
    });
  const bytes = await readFile(path).catch((error: unknown) => {
    throw invalid(reason(error), error);
  });
  const prompts = decodeText(bytes, path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (prompts.length > 0 && prompts.length <= MOST_PROMPTS) return prompts;
  throw invalid(prompts.length === 0 ? 'there is no prompt in it' : `there are ${prompts.length} prompts in it`);
}

export async function promptsPart(examination: Examination, prompts: readonly string[]): Promise<PartResult | string> {
  const { sampler, session, image, seed, terminal } = examination;
  if (session.pipeline.model.images === 'none') return 'the model has no images';
  const drawn = await withBar(terminal, 'draw prompts', (update) =>
    sampler.drawImages({
      ...image,
      ...{ prompts: [...prompts], seed, signal: terminal.signal },
      onStep: ({ step, steps }) => update(step, steps),
    }),
  );
  const columns = Math.min(PER_ROW, prompts.length);
  return {
    scores: [],
    html: section('Prompts', `${prompts.length} prompts, each drawn once, with seed ${seed}: nothing is picked.`, [
      { html: promptCards(prompts.map((prompt, i) => ({ prompt, drawn: drawn[i] }))) },
    ]),
    leftOut: [],
    pictures: { 'prompts.png': encodePng(imageGrid(drawn, { columns, gap: 4 })) },
  };
}
