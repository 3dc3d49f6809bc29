/** @file The sizes of a run from its configuration alone: no picture, text or tokenizer is there to look at. */
import { TransfusionError } from '@transfusion/core';
import { patchCount } from '@transfusion/data';
import {
  latentGrid,
  modelConfigOf,
  objectiveOf,
  patchSizeOf,
  type StepNeeds,
  stepNeeds,
  stepOptionsOf,
} from '@transfusion/training';
import { diffusesImages, type ModelConfig, type ModelPreset, modelPresets } from '@transfusion/transformer';
import { announcesSizes, type RunConfig } from '../config/run-config.js';
import { tokenizerOf } from '../data/examples.js';
import { readCodec } from '../data/run-codec.js';

/** Tokens of a caption with what stands around its image: the paper's large run has some 30 for each picture. */
const CAPTION_TOKENS = 30;

export interface PlannedRun {
  model: ModelConfig;
  /** Rows of a micro-batch, and positions of each. */
  rows: number;
  sequenceLength: number;
  /** Of a step. */
  microBatches: number;
}

/**
 * @param rows of a micro-batch, in place of the configuration's; a step has as many rows as before
 * @param vocabulary token ids, in place of those that the configuration implies
 * @throws TransfusionError PLAN_*, CONFIG_*, CODEC_*
 */
export async function plannedRun(
  config: RunConfig,
  { rows, vocabulary }: { rows?: number; vocabulary?: number } = {},
): Promise<PlannedRun & { objectiveWith(checkpointActivations: boolean): Promise<StepNeeds> }> {
  refuseOthers(config);
  const { batch, lambda, zLoss, data } = config;
  const side = data.imageSize;
  const patchSize = patchSizeOf(config);
  const codec = await readCodec(config.codec);
  const isText = !diffusesImages(config.model);
  const grid = latentGrid({ width: side, height: side }, patchSize, codec.config);
  const document = isText ? 0 : patchCount(grid, patchSize) + CAPTION_TOKENS;
  const sequenceLength = batch.sequenceLength ?? ((batch.imagesPerRow ?? 1) * document || 256);
  const images = isText ? 0 : (batch.imagesPerRow ?? Math.floor(sequenceLength / document));
  const implied = {
    vocabularySize: vocabulary ?? (await vocabularyOf(config)),
    patchValues: isText ? 1 : patchSize ** 2 * grid.channels,
    sequenceLength,
  };
  const model = modelConfigOf({ ...config, data: { ...data, announceSizes: announcesSizes(data) } }, implied);
  const stepRows = batch.rows * batch.accumulation;
  const own = rows ?? batch.rows;
  if (stepRows % own !== 0) {
    throw new TransfusionError({
      code: 'PLAN_MICRO_BATCH',
      message: `--micro-batch ${own}: a step has ${stepRows} rows, which are no whole number of micro-batches of ${own}`,
      fix: `take a divisor of ${stepRows}, such as ${nearestDivisor(stepRows, own)}`,
    });
  }
  const grids = images > 0 ? [{ height: grid.height, width: grid.width, slots: own * images }] : [];
  const sizes = { model, batch: { rows: own, sequenceLength, grids }, lambda, zLoss };
  const options = stepOptionsOf({ ...config, accumulation: 2 });
  return {
    ...{ model, rows: own, sequenceLength, microBatches: stepRows / own },
    objectiveWith: (checkpointActivations) => stepNeeds(objectiveOf({ ...sizes, checkpointActivations }), options),
  };
}

/** Of the tokenizer where there is one; of the paper's sizes Llama 2's; else what a tokenizer would be trained to. */
export async function vocabularyOf({ tokenizer, model }: Pick<RunConfig, 'tokenizer' | 'model'>): Promise<number> {
  if (tokenizer.file !== null) return (await tokenizerOf(tokenizer.file)).vocabularySize;
  return paperVocabulary(model.preset) ?? tokenizer.vocabularySize;
}

/** Of a size of the paper. */
export function paperVocabulary(preset: ModelPreset): number | undefined {
  const sizes = modelPresets[preset];
  return 'vocabularySize' in sizes ? sizes.vocabularySize : undefined;
}

function refuseOthers({ finetune, lora, model }: RunConfig): void {
  const refused =
    finetune !== null || lora !== null
      ? 'starts from a model'
      : model.images === 'tokens'
        ? 'has images of tokens'
        : '';
  if (refused === '') return;
  throw new TransfusionError({
    code: 'PLAN_RUN',
    message: `the run ${refused}, whose sizes are not in its configuration`,
    fix: 'plan it without (its memory and time are much the same), or ask for what one process takes: trainer train --dry-run',
  });
}

function nearestDivisor(whole: number, near: number): number {
  const divisors = Array.from({ length: whole }, (_, i) => i + 1).filter((each) => whole % each === 0);
  return divisors.reduce((best, each) => (Math.abs(each - near) < Math.abs(best - near) ? each : best));
}
