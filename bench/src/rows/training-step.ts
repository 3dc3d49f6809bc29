/** @file A training step of our packages, of any objective: what `trainer` replays, with its optimizer and moving average. */
import {
  type BatchArrays,
  createStepRunner,
  createTrainState,
  emaSchema,
  type Objective,
  type Optimisation,
  type ProgramProfile,
  type StateValues,
  type StepResult,
} from '@transfusion/training';
import type { EngineApis } from '../engines/engine.js';
import { PROFILED_RUNS, profileOf, type Task } from './row.js';
import { stepTask } from './step-task.js';

export interface TrainingStepOptions {
  backend: EngineApis['ours']['backend'];
  objective: Objective;
  optimisation: Optimisation;
  /** Weights to start from, by path of a parameter. */
  weights: StateValues;
  /** Every step's. */
  batch: BatchArrays;
}

/** A step, compiled, and the state that it changes. */
export interface TrainingStep {
  /** Steps count from 1. */
  run(number: number): Promise<StepResult>;
  /** Kernel times of further steps. */
  profile(times: number): Promise<ProgramProfile>;
}

export async function openTrainingStep(options: TrainingStepOptions): Promise<TrainingStep> {
  const { backend, objective, optimisation, weights, batch } = options;
  const phases = [{ from: 0, objective }];
  const values = new Map(
    [...weights].flatMap(([path, data]) => PARTS.map((part) => [`${part}.${path}`, data] as const)),
  );
  const state = createTrainState(backend, phases, { accumulation: 1, values });
  const runner = await createStepRunner({ backend, state, phases, optimisation });
  return {
    run: (number) => runner.run(number, [batch]),
    async profile(times) {
      const profiles: ProgramProfile[] = [];
      for (let i = 0; i < times; i++) profiles.push(...(await runner.profile(1, [batch])));
      const [{ program, clock }] = profiles;
      return { program, clock, runs: profiles.flatMap(({ runs }) => runs) };
    },
  };
}

/** Of the state, those that start from the weights; moments start from zero. */
const PARTS = ['parameters', 'ema'];

/** @param numbers what of a step's result the engines must agree on */
export async function trainingTask(
  options: TrainingStepOptions,
  numbers: (result: StepResult) => number[],
): Promise<Task> {
  const { backend } = options;
  const step = await openTrainingStep(options);
  return {
    ...stepTask(async (number) => numbers(await step.run(number)), { overlaps: backend.queued }),
    deviceBytes: async () => backend.stats().liveBytes,
    profile: async () => profileOf(await step.profile(PROFILED_RUNS)),
  };
}

/** AdamW at one rate from the first step on, and the moving average that a run has by default. */
export function constantRate(options: {
  optimizer: Omit<Optimisation['optimizer'], 'maxGradientNorm'>;
  maxGradientNorm: number;
  learningRate: number;
}): Optimisation {
  const { optimizer, maxGradientNorm, learningRate } = options;
  return {
    steps: 1,
    learningRate: {
      type: 'constant',
      learningRate,
      finalLearningRate: learningRate,
      warmupSteps: 0,
      totalSteps: null,
      decaySteps: null,
    },
    optimizer: { ...optimizer, maxGradientNorm },
    ema: emaSchema.parse(undefined),
  };
}
