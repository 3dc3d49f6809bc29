/** @file Runs optimizer steps: one program per step, or accumulated gradients and then an update. */
import { adamwHyper } from '@transfusion/nn';
import type { Backend, KernelSpan, Program } from '@transfusion/tensor';
import { runLearningRate } from '../config/learning-rate.js';
import type { RunConfig } from '../config/run-config.js';
import { emaDecayAt } from '../config/shared-fields.js';
import type { BatchArrays } from '../data/batches.js';
import { checkFinite } from './diverged.js';
import {
  compileAccumulate,
  compileTrainStep,
  compileUpdate,
  type TrainState,
  type TrainStepOptions,
} from './train-step.js';

export interface StepResult {
  /** Mean cross-entropy per target. */
  language: number;
  /** Mean squared error per image. */
  diffusion: number;
  /** Global norm of the gradients before clipping. */
  gradientNorm: number;
  learningRate: number;
  /** Factor of the loss while it was differentiated, in f16. Where the gradients overflowed, `gradientNorm` is not finite and the step was skipped. */
  lossScale?: number;
}

export interface StepRunner {
  /** Floating-point operations of a step. */
  flops: number;
  /** Bytes of scratch memory. */
  arenaBytes: number;
  /** Trains on the batches of one step. Steps count from 1. @throws TransfusionError TRAINING_DIVERGED */
  run(step: number, batches: BatchArrays[]): Promise<StepResult>;
  /** Trains on the batches of one step, taking the times of all kernels. */
  profile(step: number, batches: BatchArrays[]): Promise<ProgramProfile[]>;
  dispose(): void;
}

/** Kernel times of a program, one list for each run of it. */
export interface ProgramProfile {
  program: Program;
  runs: KernelSpan[][];
  /** How the times were taken. */
  clock: string;
}

interface RunnerOptions {
  backend: Backend;
  state: TrainState;
  options: TrainStepOptions;
  config: RunConfig;
}

export async function createStepRunner({ backend, state, options, config }: RunnerOptions): Promise<StepRunner> {
  const learningRate = runLearningRate(config);
  const numbers = (step: number) => ({
    hyper: adamwHyper({ ...config.optimizer, learningRate: learningRate(step), step }),
    emaDecay: Float32Array.of(emaDecayAt(config.ema, step)),
  });
  const execute = options.accumulation > 1 ? await accumulated() : await fused();

  async function fused() {
    const compiled = await compileTrainStep(backend, state, options);
    return {
      programs: [compiled],
      flops: compiled.program.flops,
      async step(step: number, [batch]: BatchArrays[]) {
        const { language, diffusion, norm, lossScale } = await compiled.run({ batch, ...numbers(step) });
        return { language: language[0], diffusion: diffusion[0], gradientNorm: norm[0], lossScale: lossScale?.[0] };
      },
      async profile(step: number, [batch]: BatchArrays[]) {
        const { spans, clock } = await compiled.profile({ batch, ...numbers(step) });
        return [{ program: compiled.program, runs: [spans], clock }];
      },
    };
  }

  async function accumulated() {
    const accumulate = await compileAccumulate(backend, state, options);
    const update = await compileUpdate(backend, state, options);
    return {
      programs: [accumulate, update],
      flops: accumulate.program.flops * options.accumulation,
      async step(step: number, batches: BatchArrays[]) {
        let [language, diffusion] = [0, 0];
        for (const batch of batches) {
          const part = await accumulate.run({ batch });
          language += part.language[0];
          diffusion += part.diffusion[0];
        }
        const { norm, lossScale } = await update.run(numbers(step));
        return { language, diffusion, gradientNorm: norm[0], lossScale: lossScale?.[0] };
      },
      async profile(step: number, batches: BatchArrays[]) {
        const parts: KernelSpan[][] = [];
        for (const batch of batches) parts.push((await accumulate.profile({ batch })).spans);
        const { spans, clock } = await update.profile(numbers(step));
        return [
          { program: accumulate.program, runs: parts, clock },
          { program: update.program, runs: [spans], clock },
        ];
      },
    };
  }

  return {
    flops: execute.flops,
    arenaBytes: execute.programs.flatMap(({ program }) => program.arenaBytes).reduce((sum, bytes) => sum + bytes, 0),
    async run(step, batches) {
      const result = await execute.step(step, batches);
      const { language, diffusion, gradientNorm, lossScale } = result;
      // A scale that cannot fall further does not explain the overflow.
      const skipped = lossScale !== undefined && lossScale > 1;
      const rate = learningRate(step);
      checkFinite(step, { language, diffusion, ...(skipped ? {} : { gradientNorm }) }, rate);
      return { ...result, learningRate: rate };
    },
    profile: (step, batches) => execute.profile(step, batches),
    dispose() {
      for (const program of execute.programs) program.dispose();
    },
  };
}
