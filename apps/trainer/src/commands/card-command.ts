/** @file `trainer card`: the model card of a model folder, from what is in it, and from scores. */
import { readFile } from 'node:fs/promises';
import { dirname, relative, resolve, sep } from 'node:path';
import type { Terminal } from '@transfusion/app-common';
import { decodeText } from '@transfusion/checkpoint';
import { checkWritableFile, openCheckpoint, writeOutputFile } from '@transfusion/checkpoint/node';
import { parseConfig, reason, TransfusionError } from '@transfusion/core';
import { findModelFolder, readModelFolder, type StoredModel } from '@transfusion/sampler/node';
import { fingerprintSchema } from '@transfusion/training/node';
import { z } from 'zod';
import { trainCommandOf } from '../config/command-of.js';
import { runConfigSchema } from '../config/run-config.js';
import { evaluationSchema, type Score } from '../report/evaluation-file.js';
import { modelCard } from '../report/model-card.js';
import { TRAINING_FILE } from './export-command.js';

export interface CardCommandOptions extends CardOptions {
  /** A model folder: a run's or an exported one, or the name of a package. */
  model: string;
  /** The card. */
  out: string;
}

/** What a card says beside what the model says. */
export interface CardOptions {
  /** Of the model; default: the run's. */
  name?: string;
  /** An `evaluation.json`. */
  evaluation?: string;
  picture?: string;
  license: string;
  note: readonly string[];
  source: readonly string[];
  limit: readonly string[];
}

const trainingSchema = z.looseObject({
  kind: z.literal('transfusion').optional().describe('of run; an autoencoder has no card of this form'),
  step: z.int().min(0),
  trainSeconds: z.number().min(0),
  data: fingerprintSchema.optional(),
  config: runConfigSchema,
});

/** @throws CheckpointError, TransfusionError CONFIG_INVALID, CARD_TRAINING, CARD_EVALUATION, OUTPUT_UNWRITABLE */
export async function cardCommand(options: CardCommandOptions, terminal: Terminal): Promise<void> {
  const { out } = options;
  await checkWritableFile(out);
  const picture = options.picture && seenFrom(dirname(resolve(out)), options.picture);
  const model = await readModelFolder(options.model);
  await writeOutputFile(out, await cardOf(model, findModelFolder(options.model), { ...options, picture }));
  terminal.out(out);
}

/**
 * The card of a model.
 *
 * @param folder says how it was trained
 * @param options.picture as the card is to name it
 * @throws TransfusionError CARD_TRAINING, CARD_EVALUATION, CONFIG_INVALID
 */
export async function cardOf(
  { config: model, vae }: StoredModel,
  folder: string,
  options: CardOptions,
): Promise<string> {
  const { license, note: notes, source: sources, limit: limits, picture } = options;
  const { config, step, trainSeconds, data } = await readTraining(folder);
  const scores = options.evaluation === undefined ? [] : await readScores(options.evaluation);
  return modelCard({
    ...{ model, license, notes, sources, limits, scores },
    name: options.name ?? config.name,
    codecParameters: [...(vae?.weights.values() ?? [])].reduce((sum, { data }) => sum + data.length, 0),
    run: { config, step, trainSeconds, pictures: data?.pictures, texts: data?.texts, documents: data?.documents },
    command: config.finetune === null ? await trainCommandOf(config) : undefined,
    picture,
  });
}

function readTraining(folder: string): Promise<z.output<typeof trainingSchema>> {
  return openCheckpoint(folder, async (reader) => {
    for (const name of ['trainer_state.json', TRAINING_FILE])
      if (await reader.has(name)) return reader.readJson(name, trainingSchema);
    throw new TransfusionError({
      code: 'CARD_TRAINING',
      message: `${folder} has no trainer_state.json and no ${TRAINING_FILE}: it does not say how it was trained`,
      fix: 'give the model folder of a run, such as runs/emoji/model, or one that `trainer export` wrote',
    });
  });
}

async function readScores(path: string): Promise<Score[]> {
  let json: unknown;
  try {
    json = JSON.parse(decodeText(await readFile(path), path));
  } catch (error) {
    throw new TransfusionError({
      code: 'CARD_EVALUATION',
      message: `cannot read the scores ${path}: ${reason(error)}`,
      fix: 'give a JSON file with { "results": [{ "name", "dataset", "value" }] }; apps/trainer/README.md has its fields',
      cause: error,
    });
  }
  return parseConfig(evaluationSchema, json, path).results;
}

function seenFrom(folder: string, path: string): string {
  return relative(folder, resolve(path)).split(sep).join('/');
}
