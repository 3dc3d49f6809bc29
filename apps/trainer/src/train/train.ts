/** @file Training the model: what the loop does at every step, and what it writes on the way. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { evaluateHeldOut } from '../evaluate/losses.js';
import { writeSamples } from '../report/samples.js';
import { type Progress, trainingLoop } from './loop.js';
import { runFiles } from './run-files.js';
import { saveRun } from './run-folder.js';
import type { TrainingSession } from './session.js';

export interface TrainOptions {
  session: TrainingSession;
  /** The run's folder. */
  folder: string;
  /** Steps done before, and seconds spent on them. */
  start?: Progress;
  /** Finish the step in progress, save, and return. */
  signal: AbortSignal;
}

export interface TrainResult extends Progress {
  /** Means over the last logged interval; NaN where nothing of the kind was trained on. */
  language: number;
  diffusion: number;
  /** Over the whole run. */
  tokensPerSecond: number;
  gflopPerSecond: number;
  /** False when it was told to stop before the last step. */
  finished: boolean;
}

/** Trains until `config.steps`. */
export async function train({ session, folder, start, signal }: TrainOptions): Promise<TrainResult> {
  const { config, runner, batches, options } = session;
  const files = runFiles(folder);
  const tokensPerStep = options.batch.rows * options.batch.sequenceLength * options.accumulation;
  const speeds = (stepsPerSecond: number) => ({
    tokensPerSecond: tokensPerStep * stepsPerSecond,
    gflopPerSecond: (runner.flops * stepsPerSecond) / 1e9,
  });
  const { logged, ...result } = await trainingLoop({
    ...{ folder, start, signal, metricsFile: files.metrics },
    ...{ steps: config.steps, logEvery: config.logEvery, checkpointEvery: config.checkpointEvery },
    async step(step) {
      const parts = batches.step(step);
      const result = await runner.run(step + 1, parts);
      const hasImages = parts.some(({ imageMask }) => imageMask.some((used: number) => used > 0));
      const { language, diffusion, gradientNorm, learningRate, lossScale } = result;
      return {
        // A step of plain texts says nothing of images.
        means: { language, ...(hasImages ? { diffusion } : {}) },
        latest: {
          // Not finite where f16 overflowed and the step was skipped.
          gradientNorm: Number.isFinite(gradientNorm) ? gradientNorm : null,
          learningRate,
          ...(lossScale === undefined ? {} : { lossScale }),
        },
      };
    },
    speeds,
    describe: ({ language, diffusion, tokensPerSecond }) =>
      `text ${language.toFixed(3)}${diffusion === undefined ? '' : ` image ${diffusion.toFixed(4)}`} ${Math.round(tokensPerSecond)} tokens/s`,
    sampleEvery: config.sample.every,
    async sample(step) {
      await mkdir(files.samples, { recursive: true });
      await writeSamples(session, { path: join(files.samples, `step-${step}`), count: config.sample.images });
      return evaluateHeldOut(session);
    },
    save: (progress) => saveRun(folder, session, progress),
  });
  const { language = Number.NaN, diffusion = Number.NaN } = logged;
  return { ...result, language, diffusion, ...speeds(result.trainSeconds > 0 ? result.step / result.trainSeconds : 0) };
}
