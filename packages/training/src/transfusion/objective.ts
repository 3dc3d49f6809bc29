/** @file The paper's objective (equation 4): L_LM + lambda L_DDPM, over packed batches of mixed sequences. */
import { type CodeIds, type GridSlots, patchCount } from '@transfusion/data';
import { addNoise, diffusionLoss, languageLoss, transfusionLoss, zLoss } from '@transfusion/losses';
import { f32, i32, randomNormal, scalar, type Tensor } from '@transfusion/tensor';
import {
  forward,
  languageLogits,
  type ModelConfig,
  predictLatents,
  type TransfusionParameters,
} from '@transfusion/transformer';
import type { BatchTensors, Objective } from '../objective.js';
import { type LoraConfig, tracedModel, trainedSpec } from './base-model.js';

/** The sizes of a packed batch. */
export interface BatchShape {
  rows: number;
  sequenceLength: number;
  /** Sizes of latent images, and how many of each there is room for. */
  grids: readonly GridSlots[];
}

export interface TransfusionObjectiveOptions {
  model: ModelConfig;
  batch: BatchShape;
  /** Weight of the diffusion loss (lambda). */
  lambda: number;
  /** Weight of the mean of log^2 Z over all targets. Default 0: none. */
  zLoss?: number;
  /** Ids of the codes of images, and EOI, where images are tokens. */
  codes?: CodeIds & { eoi: number };
  /** Whether blocks are computed again in the backward pass, to save memory. Default false. */
  checkpointActivations?: boolean;
  /** Where the noise of the images comes from: drawn in the graph (the default), or given with the batch, for evaluation. */
  noise?: 'drawn' | 'given';
  /** Train adapters of these layers, and leave the model as it is: then its weights are the constants. Default null: train it all. */
  lora?: LoraConfig | null;
}

/** Images of one size: I slots, n patches each. */
function groupInputs(
  { height, width, slots }: GridSlots,
  { model, batch, noise }: Pick<TransfusionObjectiveOptions, 'model' | 'batch' | 'noise'>,
) {
  const latents = f32(slots, height, width, model.patchValues / model.patchSize ** 2);
  return {
    latents,
    patchIndex: i32(batch.rows, batch.sequenceLength),
    patchPositions: i32(slots, patchCount({ height, width }, model.patchSize)),
    /** What the squared error of each image weighs; 0 where there is none. */
    mask: f32(slots),
    timesteps: f32(slots),
    /** Signal, noise, target signal, target noise of each image. */
    noiseCoefficients: f32(slots, 4),
    ...(noise === 'given' ? { noise: latents } : {}),
  };
}

/** What a packed batch gives to the graph (see `PackedBatch` of @transfusion/data). B rows, T positions. */
export function batchInputs(options: Pick<TransfusionObjectiveOptions, 'model' | 'batch' | 'noise'>) {
  const { rows, sequenceLength, grids } = options.batch;
  const perPosition = i32(rows, sequenceLength);
  return {
    tokens: perPosition,
    positions: perPosition,
    ...(options.model.imagePositions === '2d' ? { columns: perPosition } : {}),
    begin: perPosition,
    end: perPosition,
    targets: perPosition,
    groups: grids.map((grid) => groupInputs(grid, options)),
    /** Targets and images of the whole step, over all accumulated batches. */
    targetCount: f32(1),
    imageCount: f32(1),
    /** Philox seed and counter of this batch's noise. */
    noiseSeed: i32(4),
  };
}

/** Those of the inputs that count over a whole step. */
export const BATCH_TOTALS = ['targetCount', 'imageCount'] as const;

export type TransfusionInputs = ReturnType<typeof batchInputs>;
export type TransfusionObjective = Objective<TransfusionInputs, TransfusionParameters>;

/**
 * Its terms: `language` and `diffusion`, as they are minimised: with the weights of the images, and without lambda; `z`, log^2 Z,
 * where that has a weight.
 */
export function transfusionObjective(options: TransfusionObjectiveOptions): TransfusionObjective {
  const { model, lambda, checkpointActivations, lora, zLoss: zWeight = 0 } = options;
  return {
    parameters: trainedSpec(model, lora),
    inputs: batchInputs(options),
    totals: BATCH_TOTALS,
    losses(state, batch) {
      const p = tracedModel(state, lora);
      const noised = batch.groups.map((group, i) => noisedGroup(group, { seed: batch.noiseSeed, stream: i }));
      const images = noised.map(({ latents }, i) => ({ ...batch.groups[i], latents }));
      const { hidden, groups } = forward(model, p, { ...batch, images }, { checkpointBlocks: checkpointActivations });
      const predicted = {
        logits: languageLogits(p, hidden),
        targets: batch.targets,
        count: atLeastOne(batch.targetCount),
      };
      const language = languageLoss(predicted);
      const perGroup = groups.map((group, i) =>
        diffusionLoss({
          prediction: predictLatents(hidden, group),
          target: noised[i].target,
          mask: batch.groups[i].mask,
          count: atLeastOne(batch.imageCount),
        }),
      );
      const diffusion = perGroup.reduce((sum, loss) => sum.add(loss), scalar(0));
      const total = transfusionLoss({ language, diffusion, lambda });
      const terms: Record<string, Tensor> = { language, diffusion };
      if (zWeight === 0) return { total, terms };
      const z = zLoss(predicted);
      return { total: total.add(z.mul(zWeight)), terms: { ...terms, z } };
    },
  };
}

/** What is divided by: a step may have no text, or no image. */
export function atLeastOne(count: Tensor): Tensor {
  return count.reshape([]).maximum(1);
}

/** The latents with noise, and what the model has to predict of them. */
function noisedGroup(
  group: BatchTensors<TransfusionInputs>['groups'][number],
  random: { seed: Tensor; stream: number },
): { latents: Tensor; target: Tensor } {
  const { latents, noiseCoefficients: coefficients } = group;
  const noise = group.noise ?? randomNormal({ ...random, shape: latents.shape });
  const { noised, target } = addNoise({ latents, noise, coefficients });
  return { latents: noised, target };
}
