/** @file The loop that all kinds of training run in: steps, metrics, samples, checkpoints, and leaving when asked to. */
import { access, mkdir } from 'node:fs/promises';
import { setImmediate as nextTask } from 'node:timers/promises';
import { createProgress } from '@transfusion/app-common';
import { MetricsFile } from '@transfusion/checkpoint/node';
import { TransfusionError } from '@transfusion/tensor';
import { asDivergence } from './diverged.js';
import { runFiles } from './run-files.js';

export interface Progress {
  /** Steps done. */
  step: number;
  /** Seconds spent in them, over all sessions. */
  trainSeconds: number;
}

export interface StepRecord {
  /** Logged as means over the steps since the last log. */
  means: Record<string, number>;
  /** Logged as they are. */
  latest: Record<string, number | null>;
}

export interface LoopOptions {
  /** The run's folder. */
  folder: string;
  metricsFile: string;
  /** Train until so many steps are done. */
  steps: number;
  start?: Progress;
  /** Finish the step in progress, save, and return. */
  signal: AbortSignal;
  logEvery: number;
  checkpointEvery: number;
  /** Runs step `step`, counted from 0. */
  step(step: number): Promise<StepRecord>;
  /** Speeds, at so many steps per second: logged, and returned. */
  speeds(stepsPerSecond: number): Record<string, number>;
  /** Beside the progress bar. */
  describe(logged: Record<string, number>): string;
  /** Steps between samples; 0: none. */
  sampleEvery: number;
  /** Writes pictures, returns scores for the metrics file. */
  sample(step: number): Promise<Record<string, unknown>>;
  save(progress: Progress): Promise<void>;
}

export interface LoopResult extends Progress {
  /** Means and speeds of the last logged interval. */
  logged: Record<string, number>;
  /** False when it was told to stop before the last step. */
  finished: boolean;
}

/** Trains. The checkpoint is saved every `checkpointEvery` steps, at the end, and when told to stop. */
export async function trainingLoop(options: LoopOptions): Promise<LoopResult> {
  const { folder, steps, signal } = options;
  await mkdir(folder, { recursive: true });
  const { step = 0, trainSeconds = 0 } = options.start ?? {};
  const progress: Progress = { step, trainSeconds };
  const metrics = await MetricsFile.open(options.metricsFile, { resumeStep: progress.step });
  const bar = createProgress({ label: 'train', total: steps, start: progress.step });
  const meter = new Meter(options.speeds);
  let logged: Record<string, number> = {};
  let learningRate = Number.NaN;
  const here = () => ({ step: progress.step, learningRate });
  const save = () => asDivergence(here(), () => options.save({ ...progress }));
  const leave = async (finished: boolean): Promise<LoopResult> => {
    await save();
    bar.stop();
    return { ...progress, logged, finished };
  };
  try {
    // What --overwrite replaces must not be what --resume would go on from.
    if (!options.start && (await exists(runFiles(folder).model))) await save();
    while (progress.step < steps) {
      // A step on the CPU takes no turn of the event loop: without this one, signals would wait for the end.
      await nextTask();
      if (signal.aborted) return await leave(false);
      const begun = performance.now();
      const { means, latest } = await runStep(options, progress.step);
      learningRate = latest.learningRate ?? learningRate;
      progress.step++;
      const seconds = (performance.now() - begun) / 1000;
      progress.trainSeconds += seconds;
      meter.add(means, seconds);
      const { step } = progress;
      if (step % options.logEvery === 0 || step === steps) {
        logged = meter.read();
        await metrics.append({ ...progress, ...logged, ...latest });
        meter.reset();
      }
      // Until the first logged interval ends, what there is so far.
      bar.update(step, options.describe(Object.keys(logged).length > 0 ? logged : meter.read()));
      if (options.sampleEvery > 0 && step % options.sampleEvery === 0) {
        const scores = await asDivergence(here(), () => options.sample(step));
        if (Object.keys(scores).length > 0) await metrics.append({ step, ...scores });
      }
      if (step % options.checkpointEvery === 0 && step < steps) await save();
    }
    return await leave(true);
  } finally {
    bar.stop();
  }
}

/** A step; where the first one of a resumed run diverges, so has what it was resumed from. */
async function runStep({ step, start }: LoopOptions, index: number): Promise<StepRecord> {
  try {
    return await step(index);
  } catch (error) {
    if (start?.step !== index || !(error instanceof TransfusionError) || error.code !== 'TRAINING_DIVERGED')
      throw error;
    throw new TransfusionError({
      code: error.code,
      message: `${error.message.slice(error.code.length + 2).split('\n', 1)[0]}, in the first step after the checkpoint: it was saved when the run had diverged already`,
      fix: 'start over with --overwrite and a lower learningRate.learningRate',
      cause: error,
    });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Means and speeds since the last reset. */
class Meter {
  private steps = 0;
  private seconds = 0;
  /** Some numbers come up in some steps only. */
  private sums: Record<string, { sum: number; count: number }> = {};

  constructor(private readonly speeds: LoopOptions['speeds']) {}

  add(numbers: Record<string, number>, seconds: number): void {
    this.steps++;
    this.seconds += seconds;
    for (const [name, value] of Object.entries(numbers)) {
      const { sum, count } = this.sums[name] ?? { sum: 0, count: 0 };
      this.sums[name] = { sum: sum + value, count: count + 1 };
    }
  }

  read(): Record<string, number> {
    const means = Object.entries(this.sums).map(([name, { sum, count }]) => [name, sum / count]);
    return { ...Object.fromEntries(means), ...this.speeds(this.seconds > 0 ? this.steps / this.seconds : 0) };
  }

  reset(): void {
    this.steps = 0;
    this.seconds = 0;
    this.sums = {};
  }
}
