/** @file Runs optimizer steps: one program per step, or accumulated gradients and then an update. */
import { adamwHyper } from '@transfusion/nn';
import type { Backend } from '@transfusion/tensor';
import { checkFinite } from './diverged.js';
import { runLearningRate } from './learning-rate.js';
import { type BatchArrays, type Objective, type Phase, phaseAt } from './objective.js';
import { emaDecayAt, type Optimisation, stepOptionsOf } from './optimisation.js';
import type { Diloco } from './ranks/diloco.js';
import type { MeteredCommunicator } from './ranks/metered.js';
import { compileRankedPrograms } from './ranks/programs.js';
import { microBatchesOf, type RankGroup } from './ranks/rank-group.js';
import { compilePrograms, type ProgramProfile, type StepPrograms } from './step-programs.js';
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
  /**
   * Trains on the batches of one step, or with ranks on this rank's, whose totals it fills in. Steps count from 1.
   * @throws TransfusionError TRAINING_DIVERGED
   */
  run(step: number, batches: readonly BatchArrays[]): Promise<StepResult>;
  /** Whether a step, counted from 1, may be run before the one before it has given its results. */
  overlaps(step: number): boolean;
  /** Trains on the batches of one step, taking the times of all kernels. */
  profile(step: number, batches: readonly BatchArrays[]): Promise<ProgramProfile[]>;
  dispose(): void;
}

export interface StepRunnerOptions {
  backend: Backend;
  state: TrainState;
  phases: readonly Phase[];
  optimisation: Optimisation;
  /** The step to start at, from 0: what is not needed from there on is not compiled. */
  firstStep?: number;
  /** The ranks that share the work; `state` was created with its share. */
  group?: RankGroup<MeteredCommunicator>;
  /** How they meet, where that is not at every step; `state` is then whole. */
  diloco?: Diloco;
}

export async function createStepRunner(options: StepRunnerOptions): Promise<StepRunner> {
  const { backend, state, phases, optimisation, firstStep = 0, group, diloco } = options;
  const { exchange } = optimisation;
  const learningRate = runLearningRate(optimisation);
  const stepOptions = stepOptionsOf(optimisation);
  let phase = phaseAt(phases, firstStep);
  const compiled = async (objective: Objective): Promise<StepPrograms> => {
    if (!group) return compilePrograms(backend, state, objective, stepOptions);
    if (!diloco) return compileRankedPrograms(backend, state, objective, { ...stepOptions, group, wire: exchange });
    const { count: accumulation } = microBatchesOf(stepOptions.accumulation, group.communicator);
    const own = await compilePrograms(backend, state, objective, { ...stepOptions, accumulation });
    return { ...own, flops: own.flops * group.communicator.size };
  };
  let programs = await compiled(phase.objective);
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
    programs = await compiled(phase.objective);
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
      await diloco?.stepped();
      const rate = learningRate(step);
      // A scale that cannot fall further does not explain the overflow.
      const skipped = lossScale !== undefined && lossScale > 1;
      checkFinite(step, { ...terms, ...(skipped ? {} : { gradientNorm: norm }) }, rate);
      if (upkeep) found = { ...found, ...(await upkeep.run(step, batches[batches.length - 1])) };
      const scale = lossScale === undefined ? {} : { lossScale };
      return { terms, gradientNorm: norm, learningRate: rate, upkeep: found, ...scale };
    },
    overlaps(step) {
      // What the host does between steps, or between the programs of one, has to see the state as it was left.
      const isHostBetween = group !== undefined || upkeep !== undefined || stepOptions.accumulation > 1;
      return backend.queued === true && !isHostBetween && phaseAt(phases, step - 1) === phase;
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
