/** @file The model's configuration, from the run's and from what the data imply. */
import { parseConfig } from '@transfusion/core';
import { type ModelConfig, modelConfigSchema, modelPresets } from '@transfusion/transformer';
import type { TransfusionTrainingConfig } from './config.js';

/** @throws TransfusionError CONFIG_INVALID where the sizes do not go together */
export function modelConfigOf(
  config: TransfusionTrainingConfig,
  implied: { vocabularySize: number; patchValues: number; sequenceLength: number },
): ModelConfig {
  const { preset, ...overrides } = config.model;
  const { vocabularySize, patchValues, sequenceLength } = implied;
  const chosen = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
  const maxPositions = Math.max(256, 2 ** Math.ceil(Math.log2(2 * sequenceLength)));
  const { patchSize } = config;
  const model = { ...modelPresets[preset], maxPositions, ...chosen, vocabularySize, patchSize, patchValues };
  return parseConfig(modelConfigSchema, model, 'model');
}
