/** @file The loop that all kinds of training run in: steps, metrics, samples, checkpoints, and leaving when asked to. */
import { nextTask, TransfusionError } from '@transfusion/core';
import { asDivergence } from './diverged.js';
import type { BatchArrays } from './objective.js';
import type { TrainingSession } from './session.js';
import { StepQueue } from './step-queue.js';

export interface Progress {
  /** Steps done. */
  step: number;
  /** Seconds spent in them, over all sessions. */
  trainSeconds: number;
}

/** Where a run reports to: a terminal and files, a page, another process. */
export interface TrainingSinks {
  /** Every `logEvery` steps: step, seconds, means of the losses, learning rate, speeds; and what sampling scored. */
  metrics?(record: Record<string, unknown>): void | Promise<void>;
  /** After every step: how many are done, and means and speeds of the last logged interval. */
  progress?(step: number, logged: Record<string, number>): void;
  /** Every `sampleEvery` steps: shows what the model does, and returns scores for the metrics. Told to stop, it may throw `signal.reason`. */
  sample?(step: number, signal?: AbortSignal): Promise<Record<string, unknown>>;
  /** Every `checkpointEvery` steps, at the end, and when told to stop; with ranks, on all of them. */
  save?(progress: Progress): Promise<void>;
}

export interface TrainOptions extends TrainingSinks {
  session: TrainingSession;
  /** Steps done before, and seconds spent on them. */
  start?: Progress;
  /** Finish the step in progress, leave samples in progress out, save, and return. */
  signal?: AbortSignal;
  /** Default 10. */
  logEvery?: number;
  /** Default: only in the end. */
  checkpointEvery?: number;
  /** Default 0: never. */
  sampleEvery?: number;
}

export interface TrainResult extends Progress {
  /** Means and speeds of the last logged interval. */
  logged: Record<string, number>;
  /** Over all steps, of all sessions. */
  speeds: Record<string, number>;
  /** False when it was told to stop before the last step. */
  finished: boolean;
}

/**
 * Trains until `session.optimisation.steps`. With ranks, all call it with the same options; those that report nothing leave out
 * `metrics`, `progress` and `sample`.
 * @throws TransfusionError TRAINING_DIVERGED
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { session, logEvery = 10, checkpointEvery = Number.POSITIVE_INFINITY, sampleEvery = 0 } = options;
  const { steps } = session.optimisation;
  const { step = 0, trainSeconds = 0 } = options.start ?? {};
  const progress: Progress = { step, trainSeconds };
  const meter = new Meter((stepsPerSecond) => speedsOf(session, stepsPerSecond));
  let logged: Record<string, number> = {};
  let learningRate = Number.NaN;
  const here = () => ({ step: progress.step, learningRate });
  const save = async () => {
    await asDivergence(here(), async () => options.save?.({ ...progress }));
    await session.ranks?.waitForFirst();
  };
  const leave = async (finished: boolean): Promise<TrainResult> => {
    await save();
    const { step, trainSeconds } = progress;
    const speeds = speedsOf(session, trainSeconds > 0 ? step / trainSeconds : 0);
    return { step, trainSeconds, logged, speeds, finished };
  };
  const isDue = (every: number, step: number) => every > 0 && step % every === 0;
  const queue = new StepQueue<StepRecord>({
    batches: async (step) => (step < steps ? session.batches(step) : []),
    run: (step, batches) => runStep(options, step, batches),
    mayBeginEarly: (step) =>
      step < steps &&
      session.runner.overlaps(step + 1) &&
      !isDue(sampleEvery, step) &&
      !isDue(checkpointEvery, step) &&
      !options.signal?.aborted,
  });
  while (progress.step < steps) {
    // A step on the CPU takes no turn of the event loop: without this one, signals would wait for the end.
    await nextTask();
    if (!queue.isAhead && (await stops(options))) return leave(false);
    const begun = performance.now();
    const communicated = session.ranks?.communicator.milliseconds ?? 0;
    const { means, latest } = await queue.next(progress.step);
    learningRate = latest.learningRate ?? learningRate;
    progress.step++;
    const seconds = (performance.now() - begun) / 1000;
    progress.trainSeconds += seconds;
    const { ranks } = session;
    // The share of a step in which this rank waited for the others, or for what they sent.
    const share = ranks && { communication: (ranks.communicator.milliseconds - communicated) / (1000 * seconds) };
    meter.add({ ...means, ...share }, seconds);
    const { step } = progress;
    if (step % logEvery === 0 || step === steps) {
      logged = meter.read();
      await options.metrics?.({ ...progress, ...logged, ...latest });
      meter.reset();
    }
    // Until the first logged interval ends, what there is so far.
    options.progress?.(step, Object.keys(logged).length > 0 ? logged : meter.read());
    if (isDue(sampleEvery, step)) {
      await session.ranks?.gatherAverages();
      const scores = await asDivergence(here(), () => sampled(options, step));
      await session.ranks?.waitForFirst();
      if (Object.keys(scores).length > 0) await options.metrics?.({ step, ...scores });
    }
    if (isDue(checkpointEvery, step) && step < steps) await save();
  }
  return leave(true);
}

/** Whether this process, or with ranks any of them, was told to stop. */
async function stops({ session: { ranks }, signal }: TrainOptions): Promise<boolean> {
  const isTold = signal?.aborted ?? false;
  return ranks ? ranks.anyStops(isTold) : isTold;
}

/** The scores; none where it was told to stop. */
async function sampled({ sample, signal }: TrainOptions, step: number): Promise<Record<string, unknown>> {
  try {
    return (await sample?.(step, signal)) ?? {};
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return {};
    throw error;
  }
}

/** `tokensPerSecond` and the like, and `gflopPerSecond`. */
function speedsOf({ perStep, runner }: TrainingSession, stepsPerSecond: number): Record<string, number> {
  const speeds = Object.entries(perStep).map(([what, amount]) => [`${what}PerSecond`, amount * stepsPerSecond]);
  return { ...Object.fromEntries(speeds), gflopPerSecond: (runner.flops * stepsPerSecond) / 1e9 };
}

interface StepRecord {
  /** Logged as means over the steps since the last log. */
  means: Record<string, number>;
  /** Logged as they are. */
  latest: Record<string, number | null>;
}

/** A step; where the first one of a resumed run diverges, so has what it was resumed from. */
async function runStep(
  { session, start }: TrainOptions,
  index: number,
  batches: readonly BatchArrays[],
): Promise<StepRecord> {
  try {
    const { terms, gradientNorm, learningRate, lossScale, upkeep } = await session.runner.run(index + 1, batches);
    return {
      means: session.termsOf(terms, batches),
      latest: {
        // Not finite where f16 overflowed and the step was skipped.
        gradientNorm: Number.isFinite(gradientNorm) ? gradientNorm : null,
        learningRate,
        ...(lossScale === undefined ? {} : { lossScale }),
        ...upkeep,
      },
    };
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

/** Means and speeds since the last reset. */
class Meter {
  private steps = 0;
  private seconds = 0;
  /** Some numbers come up in some steps only. */
  private sums: Record<string, { sum: number; count: number }> = {};

  constructor(private readonly speeds: (stepsPerSecond: number) => Record<string, number>) {}

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
