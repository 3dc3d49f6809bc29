/** @file The configuration of such a network's training: every field documented and defaulted. */
import { parseConfig } from '@transfusion/core';
import { emaSchema, heldOutFields, optimizerFields, runLearningRateSchema, seedSchema } from '@transfusion/training';
import { z } from 'zod';
import { networkSchema } from './config.js';

export const evaluatorDataFields = {
  ...heldOutFields,
  heldOutFraction: heldOutFields.heldOutFraction.default(0.05),
  flip: z.boolean().default(false).describe('mirror half of the pictures, drawn anew at every step'),
  shift: z
    .int()
    .min(0)
    .max(64)
    .default(4)
    .describe('move pictures by up to this many pixels in both directions; what comes in is what was at the edge'),
  colour: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe('change brightness by up to this share of the whole range, and each colour by up to as large a factor'),
  otherCaptions: z
    .number()
    .min(0)
    .max(1)
    .default(0.3)
    .describe("of dual-encoder: share of the captions that are one of a picture's other ones, where it has some"),
};

/** What training asks for, whatever the pictures and the terminal are. */
export const evaluatorFields = {
  seed: seedSchema,
  steps: z.int().min(1).default(2000).describe('optimizer steps'),
  network: networkSchema,
  data: z.strictObject(evaluatorDataFields).prefault({}),
  batchSize: z
    .int()
    .min(2)
    .max(4096)
    .default(128)
    .describe('pictures of a step; of dual-encoder each is told from all others'),
  optimizer: z.strictObject({ ...optimizerFields, beta2: optimizerFields.beta2.default(0.98) }).prefault({}),
  learningRate: runLearningRateSchema({ learningRate: 1e-3, finalLearningRate: 1e-5 }),
  ema: emaSchema,
};

const evaluatorTrainingSchema = z.strictObject(evaluatorFields);

export type EvaluatorTrainingConfig = z.output<typeof evaluatorTrainingSchema>;
export type EvaluatorTrainingInput = z.input<typeof evaluatorTrainingSchema>;

/** A configuration with its defaults. @throws TransfusionError CONFIG_INVALID naming path, expectation and nearest known key */
export function evaluatorTrainingConfig(config: EvaluatorTrainingInput = {}): EvaluatorTrainingConfig {
  return parseConfig(evaluatorTrainingSchema, config, 'configuration');
}
