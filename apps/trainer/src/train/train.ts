/** @file The training loop: steps, metrics, sample grids, checkpoints, and leaving when asked to. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTask } from 'node:timers/promises';
import { createProgress } from '@transfusion/app-common';
import { MetricsFile } from '@transfusion/checkpoint/node';
import { evaluateLosses } from '../evaluate/losses.js';
import { writeSampleGrid } from '../report/sample-grid.js';
import { runFiles, saveRun } from './run-folder.js';
import type { TrainingSession } from './session.js';
import type { StepResult } from './step-runner.js';

export interface TrainOptions {
  session: TrainingSession;
  /** The run's folder. */
  folder: string;
  /** Steps done before, and seconds spent on them. */
  start?: { step: number; trainSeconds: number };
  /** Finish the step in progress, save, and return. */
  signal: AbortSignal;
}

export interface TrainResult {
  step: number;
  trainSeconds: number;
  /** Means over the last logged interval. */
  language: number;
  diffusion: number;
  tokensPerSecond: number;
  gflopPerSecond: number;
  /** False when it was told to stop before the last step. */
  finished: boolean;
}

/** Trains until `config.steps`. The checkpoint is saved every `checkpointEvery` steps, at the end, and when told to stop. */
export async function train({ session, folder, start, signal }: TrainOptions): Promise<TrainResult> {
  const { config, runner, batches, options } = session;
  const files = runFiles(folder);
  await mkdir(folder, { recursive: true });
  let { step, trainSeconds } = start ?? { step: 0, trainSeconds: 0 };
  const metrics = await MetricsFile.open(files.metrics, { resumeStep: step });
  const tokensPerStep = options.batch.rows * options.batch.sequenceLength * options.accumulation;
  const progress = createProgress({ label: 'train', total: config.steps, start: step });
  const meter = new Meter(tokensPerStep, runner.flops);
  let latest = meter.read();
  const leave = async (finished: boolean): Promise<TrainResult> => {
    await saveRun(folder, session, { step, trainSeconds });
    progress.stop();
    return { step, trainSeconds, ...latest, finished };
  };
  try {
    while (step < config.steps) {
      // A step on the CPU takes no turn of the event loop: without this one, signals would wait for the end.
      await nextTask();
      if (signal.aborted) return await leave(false);
      const begun = performance.now();
      const result = await runner.run(step + 1, batches.step(step));
      step++;
      const seconds = (performance.now() - begun) / 1000;
      trainSeconds += seconds;
      meter.add(result, seconds);
      if (step % config.logEvery === 0 || step === config.steps) {
        latest = meter.read();
        await metrics.append({
          step,
          trainSeconds,
          ...latest,
          // Not finite where f16 overflowed and the step was skipped.
          gradientNorm: Number.isFinite(result.gradientNorm) ? result.gradientNorm : null,
          learningRate: result.learningRate,
          ...(result.lossScale === undefined ? {} : { lossScale: result.lossScale }),
        });
        meter.reset();
      }
      // Until the first logged interval ends, what there is so far.
      progress.update(step, describe(latest.tokensPerSecond > 0 ? latest : meter.read()));
      if (config.sample.every > 0 && step % config.sample.every === 0 && step < config.steps) {
        await mkdir(files.samples, { recursive: true });
        await writeSampleGrid(session, { path: join(files.samples, `step-${step}.png`), images: config.sample.images });
        if (session.examples.heldOut.length > 0) {
          await metrics.append({ step, heldOut: await evaluateLosses(session, session.examples.heldOut) });
        }
      }
      if (step % config.checkpointEvery === 0 && step < config.steps)
        await saveRun(folder, session, { step, trainSeconds });
    }
    return await leave(true);
  } finally {
    progress.stop();
  }
}

/** Means of the losses and speed since the last reset. */
class Meter {
  private steps = 0;
  private seconds = 0;
  private language = 0;
  private diffusion = 0;

  constructor(
    private readonly tokensPerStep: number,
    private readonly flopsPerStep: number,
  ) {}

  add(result: StepResult, seconds: number): void {
    this.steps++;
    this.seconds += seconds;
    this.language += result.language;
    this.diffusion += result.diffusion;
  }

  read() {
    const steps = Math.max(1, this.steps);
    const perSecond = this.seconds > 0 ? this.steps / this.seconds : 0;
    return {
      language: this.language / steps,
      diffusion: this.diffusion / steps,
      tokensPerSecond: this.tokensPerStep * perSecond,
      gflopPerSecond: (this.flopsPerStep * perSecond) / 1e9,
    };
  }

  reset(): void {
    this.steps = 0;
    this.seconds = 0;
    this.language = 0;
    this.diffusion = 0;
  }
}

function describe({ language, diffusion, tokensPerSecond }: ReturnType<Meter['read']>): string {
  return `text ${language.toFixed(3)} image ${diffusion.toFixed(4)} ${Math.round(tokensPerSecond)} tokens/s`;
}
