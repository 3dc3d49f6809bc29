/** @file A run in memory: state, compiled steps and batches; what the loop goes through and a checkpoint is made of. */
import { TransfusionError } from '@transfusion/core';
import type { Communicator } from '@transfusion/distributed';
import { parameterTensors } from '@transfusion/sampler';
import type { Backend } from '@transfusion/tensor';
import type { ModelFiles, NamedTensor } from './model-files.js';
import type { BatchArrays, Phase } from './objective.js';
import type { Optimisation } from './optimisation.js';
import { createDiloco } from './ranks/diloco.js';
import { metered } from './ranks/metered.js';
import { microBatchesOf, rankGroup, shareOf } from './ranks/rank-group.js';
import { type SessionRanks, sessionRanks } from './ranks/session-ranks.js';
import { createStepRunner, type StepRunner } from './step-runner.js';
import {
  checkStateValues,
  createTrainState,
  destroyTrainState,
  initialValues,
  type StateValues,
  type TrainState,
} from './train-state.js';

/** What is to be trained, of any kind, before there is a device. */
export interface TrainingTask {
  phases: readonly Phase[];
  optimisation: Optimisation;
  seed: number;
  /** Parameters to start from instead of random ones, by path. */
  given?: StateValues;
  /** Weights that are not trained: a tree of `ConstantWeight`. */
  constants?: unknown;
}

export interface TrainingSession extends Pick<TrainingTask, 'phases' | 'optimisation'> {
  backend: Backend;
  state: TrainState;
  runner: StepRunner;
  /**
   * The batches of step `step`, counted from 0, one for each accumulation, or with ranks this rank's: a pure function. A promise of
   * them where pictures are read when their batch comes.
   */
  batches(step: number): BatchArrays[] | Promise<BatchArrays[]>;
  /** Those of a step's terms that its batches say something of. */
  termsOf(terms: Record<string, number>, batches: readonly BatchArrays[]): Record<string, number>;
  /** How much of what a step works through, for speeds: tokens, images. */
  perStep: Record<string, number>;
  /** The averaged weights and what belongs to them; with ranks, on the first one after `gatherAverages`. */
  modelFiles(): Promise<ModelFiles>;
  /** What resuming needs besides: parameters, moments and the like, by name; with ranks, a call of all, and on the first one. */
  optimizerTensors(): Promise<Map<string, NamedTensor>>;
  /** Where ranks share the work. */
  ranks?: SessionRanks;
  /** Frees the state and the compiled steps. */
  dispose(): void;
}

/** A checkpoint that a session goes on from. */
export interface ResumePoint {
  /** Steps done. */
  step: number;
  values: StateValues;
}

/** What a task becomes on a backend. */
export type OpenedState = Pick<TrainingSession, 'state' | 'runner' | 'optimizerTensors' | 'ranks' | 'dispose'>;

/**
 * The state and the compiled steps of a task on a backend.
 * @param communicator of the ranks that share the work
 * @throws TransfusionError CHECKPOINT_FOREIGN: the values to resume from are not this task's; RANKS_*; OutOfMemoryError
 */
export async function openState(
  backend: Backend,
  { phases, optimisation, seed, given, constants }: TrainingTask,
  resume?: ResumePoint,
  communicator?: Communicator,
): Promise<OpenedState> {
  if (resume) checkStateValues(phases, resume.values);
  const group = communicator && rankGroup(metered(communicator), phases);
  const values = resume?.values ?? initialValues(phases, seed, given);
  const { accumulation = 1, precision } = optimisation;
  const { diloco: dilocoConfig } = optimisation;
  checkRanks(optimisation, communicator !== undefined);
  const own = communicator ? microBatchesOf(accumulation, communicator).count : accumulation;
  // With DiLoCo every rank has a whole state of its own.
  const share = group && !dilocoConfig ? shareOf(group) : undefined;
  const state = createTrainState(backend, phases, { accumulation: own, precision, share, values, constants });
  try {
    const diloco = group && dilocoConfig ? createDiloco(group, state, dilocoConfig, values) : undefined;
    const parts = { backend, state, phases, optimisation, group, diloco };
    const runner = await createStepRunner({ ...parts, firstStep: resume?.step });
    const ranks = group && sessionRanks(group, state, diloco);
    return {
      ...{ state, runner, ranks },
      optimizerTensors: () => optimizerTensors(state, ranks),
      dispose() {
        runner.dispose();
        destroyTrainState(state);
      },
    };
  } catch (error) {
    destroyTrainState(state);
    throw error;
  }
}

/**
 * Whether a run that says how ranks meet has any, and says one thing.
 * @throws TransfusionError RANKS_NONE, RANKS_EXCHANGE
 */
export function checkRanks({ diloco, exchange }: Pick<Optimisation, 'diloco' | 'exchange'>, hasRanks: boolean): void {
  if (diloco && exchange === 'f16') {
    throw new TransfusionError({
      code: 'RANKS_EXCHANGE',
      message: 'exchange=f16 is for gradients, and with diloco ranks exchange weights',
      fix: 'leave one of them out: --set exchange=f32, or --set diloco=null',
    });
  }
  if (!diloco || hasRanks) return;
  throw new TransfusionError({
    code: 'RANKS_NONE',
    message: 'diloco says how ranks meet, and this is one process',
    fix: 'start it as ranks, such as by --ranks 2; or leave diloco out: --set diloco=null',
  });
}

async function optimizerTensors(state: TrainState, ranks?: SessionRanks): Promise<Map<string, NamedTensor>> {
  const { parameters, m, v, discriminator, counters, lossScale } = state;
  if (!ranks) return parameterTensors({ parameters, m, v, discriminator, counters, lossScale });
  const moments = await ranks.gatherMoments();
  if (ranks.communicator.rank > 0) return moments;
  return new Map([...(await parameterTensors({ parameters })), ...moments, ...(await parameterTensors({ lossScale }))]);
}
