/** @file What a run would take, worked out without a device. */
import { countParameters } from '@transfusion/nn';
import { transfusionSpec } from '@transfusion/transformer';
import { learningRateAdvice } from '../config/learning-rate.js';
import type { RunConfig } from '../config/run-config.js';
import type { LoadDatasetOptions } from '../data/dataset.js';
import { planTrainStep } from './plan-step.js';
import { megabytes } from './planning-backend.js';
import { prepareRun, splitExamples, splitTexts } from './session.js';

/** The resolved configuration, parameters, FLOPs per step and memory, as text. */
export async function describeRun(config: RunConfig, options: LoadDatasetOptions): Promise<string> {
  const prepared = await prepareRun(config, options);
  const { options: step } = prepared;
  const { train, heldOut } = splitExamples(config, prepared.examples);
  const texts = splitTexts(config, prepared);
  const parameters = countParameters(transfusionSpec(step.model));
  const { rows, sequenceLength } = step.batch;
  const { flops, stateBytes, arenaBytes, liveBytes } = await planTrainStep(step);
  const lines = [
    JSON.stringify({ ...config, resolvedModel: step.model }, null, 2),
    '',
    ...learningRateAdvice(config),
    `examples          ${train.length} to train on, ${heldOut.length} held out`,
    ...(prepared.texts.length > 0
      ? [
          `texts             ${prepared.texts.length}: ${texts.train.length} rows to train on, ${texts.heldOut.length} held out`,
        ]
      : []),
    `vocabulary        ${step.model.vocabularySize} token ids`,
    `parameters        ${parameters.toLocaleString('en')}`,
    `batch             ${rows} rows x ${sequenceLength} positions x ${step.accumulation}`,
    `work per step     ${(flops / 1e9).toFixed(2)} GFLOP, ${((flops * config.steps) / 1e12).toFixed(1)} TFLOP in all`,
    `memory: state     ${megabytes(stateBytes)} (weights, two moments, average${step.accumulation > 1 ? ', gradients' : ''})`,
    `memory: scratch   ${megabytes(arenaBytes)} (activations and gradients; ${megabytes(liveBytes)} in use at once)`,
  ];
  return lines.join('\n');
}
