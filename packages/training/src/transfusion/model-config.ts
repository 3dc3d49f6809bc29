/** @file The model's configuration, from the run's and from what the data imply. */
import { parseConfig } from '@transfusion/core';
import { diffusesImages, type ModelConfig, modelConfigSchema, modelPresets } from '@transfusion/transformer';
import type { TransfusionTrainingConfig } from './config.js';

/** Side of what is one position of an image: where images are tokens, a code. */
export function patchSizeOf({ model, patchSize }: Pick<TransfusionTrainingConfig, 'model' | 'patchSize'>): number {
  return diffusesImages(model) ? patchSize : 1;
}

/** @throws TransfusionError CONFIG_INVALID where the sizes do not go together */
export function modelConfigOf(
  config: TransfusionTrainingConfig,
  implied: { vocabularySize: number; patchValues: number; sequenceLength: number },
): ModelConfig {
  const { preset, ...overrides } = config.model;
  const { vocabularySize, patchValues, sequenceLength } = implied;
  const chosen = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
  const maxPositions = Math.max(256, 2 ** Math.ceil(Math.log2(2 * sequenceLength)));
  const patchSize = patchSizeOf(config);
  const model = { ...modelPresets[preset], maxPositions, ...chosen, vocabularySize, patchSize, patchValues };
  return parseConfig(modelConfigSchema, model, 'model');
}
