/** @file A run that was interrupted, to go on with where the same is asked for again. */
import type { Terminal } from '@transfusion/app-common';
import { TransfusionError } from '@transfusion/core';
import { transfusionKind } from '../kinds/transfusion.js';
import type { RunConfig } from './run-config.js';

/** The checkpoint in `folder`, if there is one of the same configuration (its number of steps apart) that is not done. */
export async function unfinishedRun(folder: string, wanted: RunConfig, terminal: Pick<Terminal, 'log'>) {
  const run = await earlierRun(folder, wanted);
  if (!run || run.state.step >= run.state.config.steps) return undefined;
  terminal.log(`going on from step ${run.state.step} of ${folder}`);
  return run;
}

/** The checkpoint in `folder`, done or not, if it is of the same configuration. */
export async function earlierRun(folder: string, wanted: RunConfig) {
  const identity = ({ steps, learningRate, ...rest }: RunConfig) => JSON.stringify(rest);
  try {
    const run = await transfusionKind.load(folder);
    return identity(run.state.config) === identity(wanted) ? run : undefined;
  } catch (error) {
    if (TransfusionError.isInstance(error)) return undefined;
    throw error;
  }
}
