/** @file Runs that exist: what may change when one is resumed, and that none is overwritten unasked. */

import { access } from 'node:fs/promises';
import type { ConfigSources } from '@transfusion/app-common';
import { TransfusionError } from '@transfusion/core';
import { runFiles } from '@transfusion/training/node';
import type { z } from 'zod';
import { type AnyRun, changeConfig } from './resolve-config.js';

/** Fields that do not change what was computed so far. Of folders, the contents are what counts. */
const HARMLESS = [
  ...['steps', 'checkpointEvery', 'logEvery', 'sample.every', 'sample.images', 'sample.scored'],
  ...['data.folder', 'data.shards', 'data.latents', 'data.texts', 'data.documents'],
  // A run that diverged goes on from its last checkpoint more carefully.
  ...['learningRate.learningRate', 'learningRate.finalLearningRate', 'learningRate.warmupSteps'],
  ...['learningRate.totalSteps', 'learningRate.decaySteps', 'optimizer.maxGradientNorm'],
];

/** A resumed run keeps its configuration; only harmless fields may be set anew. @throws TransfusionError CONFIG_RESUME */
export function resumedConfig<Config extends AnyRun>(
  schema: z.ZodType<Config>,
  config: Config,
  { preset, file, set = [] }: ConfigSources,
): Config {
  const harmless = harmlessFields(config);
  const refused = set.find((assignment) => !harmless.includes(assignment.split('=')[0]));
  if (preset !== undefined || file !== undefined || refused !== undefined) {
    throw new TransfusionError({
      code: 'CONFIG_RESUME',
      message: `a resumed run keeps its configuration; got ${refused ?? preset ?? file}`,
      fix: `with --resume, only these may be set: ${harmless.filter((path) => isField(config, path)).join(', ')}`,
    });
  }
  return changeConfig(schema, config, set);
}

/** A LoRA's model may have moved; what it was is checked. */
function harmlessFields(config: AnyRun & { lora?: unknown }): string[] {
  return config.lora ? [...HARMLESS, 'finetune'] : HARMLESS;
}

/** Whether a kind of run has the field. */
function isField(config: unknown, path: string): boolean {
  return path.split('.').reduce((at, key) => (at as Record<string, unknown> | undefined)?.[key], config) !== undefined;
}

/** What to say of a run that has nothing left to do. */
export function alreadyDone(step: number, steps: number): string {
  return `it is at step ${step} already, and steps is ${steps}: nothing is trained; --set steps=${2 * step} would go on`;
}

/** @throws TransfusionError RUN_EXISTS */
export async function refuseExisting(folder: string): Promise<void> {
  const exists = await access(runFiles(folder).model).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  throw new TransfusionError({
    code: 'RUN_EXISTS',
    message: `${folder} already holds a run`,
    fix: `go on with --resume ${folder}, start over with --overwrite, or choose another name with --set name=...`,
  });
}
