/** @file A run's configuration from a preset, a file and `--set key=value`, checked before anything is written. */
import { type ConfigSources, mergedSources, withAssignments } from '@transfusion/app-common';
import { parseConfig } from '@transfusion/core';
import { fittedLearningRate, type RunLength } from '@transfusion/training';
import type { z } from 'zod';
import type { RunConfig } from './run-config.js';

/** The configuration of any kind of run. */
export type AnyRun = RunLength & {
  data: Pick<RunConfig['data'], 'dataset' | 'heldOutBy'> & Partial<Pick<RunConfig['data'], 'documents'>>;
};

/** What a kind of run may be configured with. */
export interface ConfigKind<Config extends AnyRun> {
  schema: z.ZodType<Config>;
  presets: Readonly<Record<string, unknown>>;
}

/**
 * @param sources.where names them in errors
 * @throws TransfusionError CONFIG_*; CONFIG_INVALID naming path, expectation and nearest known key
 */
export async function resolveConfig<Config extends AnyRun>(
  { schema, presets }: ConfigKind<Config>,
  sources: ConfigSources & { where?: string },
): Promise<Config> {
  const { preset, file, set = [], where } = sources;
  const value = await mergedSources(presets, sources);
  const source = file ?? (preset === undefined ? 'configuration' : `preset ${preset}`);
  const config = fitted(parseConfig(schema, value, where ?? (set.length > 0 ? `${source} with --set` : source)));
  // Runs from before there was a choice have none: theirs is the list.
  const mayGrow = ['folder', 'shards'].includes(config.data.dataset) || (config.data.documents ?? null) !== null;
  const heldOutBy = config.data.heldOutBy ?? (mayGrow ? 'name' : 'list');
  return { ...config, data: { ...config.data, heldOutBy } };
}

/** A configuration with some fields set anew. @throws as `resolveConfig` */
export function changeConfig<Config extends AnyRun>(
  schema: z.ZodType<Config>,
  config: Config,
  set: readonly string[],
): Config {
  return fitted(parseConfig(schema, withAssignments(config, set), '--set'));
}

/** With numbers for what the learning rate left open, so that a resumed run keeps them when it is given more steps. */
function fitted<Config extends RunLength>(config: Config): Config {
  return { ...config, learningRate: fittedLearningRate(config) };
}
