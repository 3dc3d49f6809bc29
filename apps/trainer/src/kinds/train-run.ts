/** @file Trains a run of any kind, reporting to the terminal and to the run's folder. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createProgress } from '@transfusion/app-common';
import { type Progress, type TrainingSession, train } from '@transfusion/training';
import { type LoadedRun, runFiles, runFolderSinks } from '@transfusion/training/node';
import type { AnyRunConfig, Kind, OpenedRun, RunResult } from './kind.js';

export interface TrainRunOptions {
  /** The run's folder. */
  folder: string;
  /** Steps done before, and seconds spent on them. */
  start?: Progress;
  /** Finish the step in progress, save, and return. */
  signal: AbortSignal;
}

/** Trains until `config.steps`. With ranks, all call it, and the first one reports. */
export async function trainRun<Config extends AnyRunConfig, Session extends TrainingSession>(
  kind: Kind<Config, Session, LoadedRun<Config>>,
  run: OpenedRun<Config, Session>,
  { folder, start, signal }: TrainRunOptions,
): Promise<RunResult> {
  const { config, session, record } = run;
  const { samples } = runFiles(folder);
  const sinks = await runFolderSinks({ folder, session, record, start });
  const isFirst = (session.ranks?.communicator.rank ?? 0) === 0;
  const bar = createProgress({ label: 'train', total: config.steps, start: start?.step ?? 0 });
  const result = await train({
    ...{ session, start, signal, ...sinks },
    ...{ logEvery: config.logEvery, checkpointEvery: config.checkpointEvery, sampleEvery: config.sample.every },
    progress: (step, logged) => bar.update(step, kind.progress(logged)),
    ...(isFirst && {
      async sample(step: number, stop?: AbortSignal) {
        await mkdir(samples, { recursive: true });
        return kind.sample(run, join(samples, `step-${step}`), stop);
      },
    }),
  }).finally(() => bar.stop());
  const summary = result.finished && isFirst ? await kind.finish?.(run, folder, signal) : undefined;
  await session.ranks?.waitForFirst();
  return { ...result, summary };
}
