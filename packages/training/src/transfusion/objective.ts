/** @file The paper's objective (equation 4): L_LM + lambda L_DDPM, over packed batches of mixed sequences. */
import { addNoise, diffusionLoss, languageLoss, transfusionLoss } from '@transfusion/losses';
import { f32, i32, randomNormal } from '@transfusion/tensor';
import {
  forward,
  languageLogits,
  type ModelConfig,
  predictPatches,
  type TransfusionParameters,
  transfusionSpec,
} from '@transfusion/transformer';
import type { Objective } from '../objective.js';

/** The sizes of a packed batch. */
export interface BatchShape {
  rows: number;
  sequenceLength: number;
  imagesPerRow: number;
  patchesPerImage: number;
}

export interface TransfusionObjectiveOptions {
  model: ModelConfig;
  batch: BatchShape;
  /** Weight of the diffusion loss (lambda). */
  lambda: number;
  /** Whether blocks are computed again in the backward pass, to save memory. Default false. */
  checkpointActivations?: boolean;
}

/** What a packed batch gives to the graph. B rows, T positions, I image slots, n patches, k values. */
export function batchInputs(model: ModelConfig, batch: BatchShape) {
  const { rows, sequenceLength, imagesPerRow, patchesPerImage } = batch;
  const images = rows * imagesPerRow;
  const perPosition = i32(rows, sequenceLength);
  return {
    tokens: perPosition,
    patchIndex: perPosition,
    positions: perPosition,
    begin: perPosition,
    end: perPosition,
    targets: perPosition,
    patchPositions: i32(images, patchesPerImage),
    latents: f32(images, patchesPerImage, model.patchValues),
    imageMask: f32(images),
    timesteps: f32(images),
    /** Signal, noise, target signal, target noise of each image. */
    noiseCoefficients: f32(images, 4),
    /** Targets and images of the whole step, over all accumulated batches. */
    targetCount: f32(1),
    imageCount: f32(1),
    /** Philox seed and counter of this batch's noise. */
    noiseSeed: i32(4),
  };
}

export type TransfusionObjective = Objective<ReturnType<typeof batchInputs>, TransfusionParameters>;

/** Its terms: `language` and `diffusion`. Noise is drawn and added in the graph. */
export function transfusionObjective(options: TransfusionObjectiveOptions): TransfusionObjective {
  const { model, batch: shape, lambda, checkpointActivations } = options;
  return {
    parameters: transfusionSpec(model),
    inputs: batchInputs(model, shape),
    losses({ parameters: p }, inputs) {
      const noise = randomNormal({ seed: inputs.noiseSeed, shape: inputs.latents.shape, stream: 0 });
      const { noised, target } = addNoise({ latents: inputs.latents, noise, coefficients: inputs.noiseCoefficients });
      const { hidden } = forward(model, p, { ...inputs, patches: noised }, { checkpointBlocks: checkpointActivations });
      const language = languageLoss({
        logits: languageLogits(p, hidden),
        targets: inputs.targets,
        count: inputs.targetCount.reshape([]),
      });
      const diffusion = diffusionLoss({
        prediction: predictPatches(p, hidden, inputs.patchPositions),
        target,
        mask: inputs.imageMask,
        count: inputs.imageCount.reshape([]),
      });
      return { total: transfusionLoss({ language, diffusion, lambda }), terms: { language, diffusion } };
    },
  };
}
