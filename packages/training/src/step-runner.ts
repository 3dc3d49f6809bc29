/** @file Runs optimizer steps: one program per step, or accumulated gradients and then an update. */
import { adamwHyper } from '@transfusion/nn';
import type { Backend, KernelSpan, Program } from '@transfusion/tensor';
import { compileAccumulate, compileStep, compileUpdate, type StepOptions } from './compile-step.js';
import { checkFinite } from './diverged.js';
import { runLearningRate } from './learning-rate.js';
import { type BatchArrays, type Objective, type Phase, phaseAt } from './objective.js';
import { emaDecayAt, type Optimisation, stepOptionsOf } from './optimisation.js';
import type { TrainState } from './train-state.js';

export interface StepResult {
  /** The objective's terms. */
  terms: Record<string, number>;
  /** Global norm of the gradients before clipping. */
  gradientNorm: number;
  learningRate: number;
  /** Factor of the loss while it was differentiated, in f16. Where the gradients overflowed, `gradientNorm` is not finite and the step was skipped. */
  lossScale?: number;
  /** What the upkeep found, at this step or before. */
  upkeep: Record<string, number>;
}

export interface StepRunner {
  /** Floating-point operations of a step, as the phase of the last one has it. */
  readonly flops: number;
  /** Bytes of scratch memory. */
  readonly arenaBytes: number;
  /** Trains on the batches of one step. Steps count from 1. @throws TransfusionError TRAINING_DIVERGED */
  run(step: number, batches: readonly BatchArrays[]): Promise<StepResult>;
  /** Trains on the batches of one step, taking the times of all kernels. */
  profile(step: number, batches: readonly BatchArrays[]): Promise<ProgramProfile[]>;
  dispose(): void;
}

/** Kernel times of a program, one list for each run of it. */
export interface ProgramProfile {
  program: Program;
  runs: KernelSpan[][];
  /** How the times were taken. */
  clock: string;
}

export interface StepRunnerOptions {
  backend: Backend;
  state: TrainState;
  phases: readonly Phase[];
  optimisation: Optimisation;
  /** The step to start at, from 0: what is not needed from there on is not compiled. */
  firstStep?: number;
}

export async function createStepRunner(options: StepRunnerOptions): Promise<StepRunner> {
  const { backend, state, phases, optimisation, firstStep = 0 } = options;
  const learningRate = runLearningRate(optimisation);
  const stepOptions = stepOptionsOf(optimisation);
  let phase = phaseAt(phases, firstStep);
  let programs = await compilePrograms(backend, state, phase.objective, stepOptions);
  const upkeep = await phase.objective.upkeep?.(backend, state).catch((error: unknown) => {
    programs.dispose();
    throw error;
  });
  let found: Record<string, number> = {};

  const numbers = (step: number) => {
    const hyper = (count: number) =>
      adamwHyper({ ...optimisation.optimizer, learningRate: learningRate(step), step: count });
    return {
      hyper: hyper(step),
      emaDecay: Float32Array.of(emaDecayAt(optimisation.ema, step)),
      // The discriminator's steps count from its start.
      ...(phase.objective.discriminator ? { discriminatorHyper: hyper(step - phase.from) } : {}),
    };
  };
  const enter = async (step: number) => {
    const wanted = phaseAt(phases, step - 1);
    if (wanted === phase) return;
    programs.dispose();
    phase = wanted;
    programs = await compilePrograms(backend, state, phase.objective, stepOptions);
  };

  return {
    get flops() {
      return programs.flops;
    },
    get arenaBytes() {
      return programs.arenaBytes;
    },
    async run(step, batches) {
      await enter(step);
      const { terms, norm, lossScale } = await programs.run(batches, numbers(step));
      const rate = learningRate(step);
      // A scale that cannot fall further does not explain the overflow.
      const skipped = lossScale !== undefined && lossScale > 1;
      checkFinite(step, { ...terms, ...(skipped ? {} : { gradientNorm: norm }) }, rate);
      if (upkeep) found = { ...found, ...(await upkeep.run(step, batches[batches.length - 1])) };
      const scale = lossScale === undefined ? {} : { lossScale };
      return { terms, gradientNorm: norm, learningRate: rate, upkeep: found, ...scale };
    },
    async profile(step, batches) {
      await enter(step);
      return programs.profile(batches, numbers(step));
    },
    dispose() {
      programs.dispose();
      upkeep?.dispose();
    },
  };
}

type StepNumbers = Record<string, Float32Array>;

/** The compiled functions of a phase. */
interface Programs {
  flops: number;
  arenaBytes: number;
  run(
    batches: readonly BatchArrays[],
    numbers: StepNumbers,
  ): Promise<{ terms: Record<string, number>; norm: number; lossScale?: number }>;
  profile(batches: readonly BatchArrays[], numbers: StepNumbers): Promise<ProgramProfile[]>;
  dispose(): void;
}

/** A compiled function whose inputs follow from the objective. */
interface AnyCompiled {
  run(inputs: unknown): Promise<{ terms: Record<string, Float32Array>; norm: Float32Array; lossScale?: Float32Array }>;
  profile(inputs: unknown): Promise<{ spans: KernelSpan[]; clock: string }>;
  readonly program: Program;
  dispose(): void;
}

function compilePrograms(
  backend: Backend,
  state: TrainState,
  objective: Objective,
  options: StepOptions,
): Promise<Programs> {
  return options.accumulation > 1
    ? accumulatedPrograms(backend, state, objective, options)
    : fusedProgram(backend, state, objective, options);
}

async function fusedProgram(...step: Parameters<typeof compileStep>): Promise<Programs> {
  const compiled = (await compileStep(...step)) as AnyCompiled;
  return {
    flops: compiled.program.flops,
    arenaBytes: arenaBytesOf([compiled]),
    async run([batch], numbers) {
      const { terms, norm, lossScale } = await compiled.run({ batch, ...numbers });
      return { terms: firsts(terms), norm: norm[0], lossScale: lossScale?.[0] };
    },
    async profile([batch], numbers) {
      const { spans, clock } = await compiled.profile({ batch, ...numbers });
      return [{ program: compiled.program, runs: [spans], clock }];
    },
    dispose: () => compiled.dispose(),
  };
}

async function accumulatedPrograms(...step: Parameters<typeof compileStep>): Promise<Programs> {
  const accumulate = (await compileAccumulate(...step)) as unknown as AnyCompiled;
  const update = (await compileUpdate(...step)) as unknown as AnyCompiled;
  return {
    flops: accumulate.program.flops * step[3].accumulation,
    arenaBytes: arenaBytesOf([accumulate, update]),
    async run(batches, numbers) {
      const sums: Record<string, number> = {};
      for (const batch of batches) {
        const { terms } = await accumulate.run({ batch });
        for (const [name, value] of Object.entries(firsts(terms))) sums[name] = (sums[name] ?? 0) + value;
      }
      const { norm, lossScale } = await update.run(numbers);
      return { terms: sums, norm: norm[0], lossScale: lossScale?.[0] };
    },
    async profile(batches, numbers) {
      const parts: KernelSpan[][] = [];
      for (const batch of batches) parts.push((await accumulate.profile({ batch })).spans);
      const { spans, clock } = await update.profile(numbers);
      return [
        { program: accumulate.program, runs: parts, clock },
        { program: update.program, runs: [spans], clock },
      ];
    },
    dispose() {
      accumulate.dispose();
      update.dispose();
    },
  };
}

function firsts(terms: Record<string, Float32Array>): Record<string, number> {
  return Object.fromEntries(Object.entries(terms).map(([name, [value]]) => [name, value]));
}

function arenaBytesOf(compiled: readonly AnyCompiled[]): number {
  return compiled.flatMap(({ program }) => program.arenaBytes).reduce((sum, bytes) => sum + bytes, 0);
}
