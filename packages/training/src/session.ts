/** @file A run in memory: state, compiled steps and batches; what the loop goes through and a checkpoint is made of. */
import type { Backend } from '@transfusion/tensor';
import type { BatchArrays, Phase } from './objective.js';
import type { Optimisation } from './optimisation.js';
import { createStepRunner, type StepRunner } from './step-runner.js';
import {
  checkStateValues,
  createTrainState,
  destroyTrainState,
  initialValues,
  type StateValues,
  type TrainState,
} from './train-state.js';

/** A tensor of a file. */
export interface NamedTensor {
  shape: number[];
  data: Float32Array;
}

/** What a model consists of, as files have it. */
export interface ModelFiles {
  /** `config.json` */
  config: unknown;
  /** `model.safetensors`, by name. */
  tensors: Map<string, NamedTensor>;
  /** `tokenizer.json` */
  tokenizer?: unknown;
  /** `vae/` */
  vae?: { config: unknown; tensors: Map<string, NamedTensor> };
  /** They are a LoRA's instead: `adapter_config.json` and `adapter_model.safetensors`. */
  isAdapter?: true;
}

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
  /** The batches of step `step`, counted from 0, one for each accumulation: a pure function. */
  batches(step: number): BatchArrays[];
  /** Those of a step's terms that its batches say something of. */
  termsOf(terms: Record<string, number>, batches: readonly BatchArrays[]): Record<string, number>;
  /** How much of what a step works through, for speeds: tokens, images. */
  perStep: Record<string, number>;
  /** The averaged weights and what belongs to them. */
  modelFiles(): Promise<ModelFiles>;
  /** Frees the state and the compiled steps. */
  dispose(): void;
}

/** A checkpoint that a session goes on from. */
export interface ResumePoint {
  /** Steps done. */
  step: number;
  values: StateValues;
}

/**
 * The state and the compiled steps of a task on a backend.
 * @throws TransfusionError CHECKPOINT_FOREIGN: the values to resume from are not this task's; OutOfMemoryError
 */
export async function openState(
  backend: Backend,
  { phases, optimisation, seed, given, constants }: TrainingTask,
  resume?: ResumePoint,
): Promise<Pick<TrainingSession, 'state' | 'runner' | 'dispose'>> {
  if (resume) checkStateValues(phases, resume.values);
  const values = resume?.values ?? initialValues(phases, seed, given);
  const { accumulation = 1, precision } = optimisation;
  const state = createTrainState(backend, phases, { accumulation, precision, values, constants });
  try {
    const runner = await createStepRunner({ backend, state, phases, optimisation, firstStep: resume?.step });
    const dispose = () => {
      runner.dispose();
      destroyTrainState(state);
    };
    return { state, runner, dispose };
  } catch (error) {
    destroyTrainState(state);
    throw error;
  }
}
