/** @file How images enter the transformer and leave it (paper section 3.2, figure 3): latents to vectors, vectors to latents. */
import { linear } from '@transfusion/nn';
import type { Tensor } from '@transfusion/tensor';
import type { ModelConfig } from './config.js';
import type { TransfusionParameters } from './parameters.js';

/** Vectors of an image's patches, in the order of the sequence: left to right, top to bottom. */
export interface PatchVectors {
  /** [images, patches, channels] */
  vectors: Tensor;
  /** What `after` needs besides: none of the linear patcher, the down path's activations of a U-Net. */
  skips: readonly Tensor[];
}

/** The way in and the way out, for images of one size. Timesteps are embedded, [images, channels]. */
export interface Patcher {
  /** @param latents [images, height, width, latent channels], noised */
  before(latents: Tensor, timesteps: Tensor): PatchVectors;
  /**
   * @param hidden [images, patches, channels], what the transformer made of the vectors
   * @returns the model's prediction, like the latents
   */
  after(hidden: Tensor, timesteps: Tensor, skips: readonly Tensor[]): Tensor;
}

/** The size of latent images. */
export interface LatentSize {
  height: number;
  width: number;
}

/** The patcher of a configuration. */
export function createPatcher(config: ModelConfig, p: TransfusionParameters, size: LatentSize): Patcher {
  return linearPatcher(config, p, size);
}

/** A linear layer over the values of each patch, the timestep added; and one back. */
function linearPatcher({ patchSize }: ModelConfig, p: TransfusionParameters, size: LatentSize): Patcher {
  return {
    before(latents, timesteps) {
      const [images, channels] = timesteps.shape;
      const vectors = linear(p.patchIn, patchify(latents, patchSize));
      return { vectors: vectors.add(timesteps.reshape([images, 1, channels])), skips: [] };
    },
    after: (hidden) => unpatchify(linear(p.patchOut, hidden), { ...size, patchSize }),
  };
}

/** Images [images, height, width, channels] -> [images, patches, patchSize * patchSize * channels]: values in (y, x, channel) order. */
export function patchify(latents: Tensor, patchSize: number): Tensor {
  const [images, height, width, channels] = latents.shape;
  const [rows, columns] = [height / patchSize, width / patchSize];
  return latents
    .reshape([images, rows, patchSize, columns, patchSize * channels])
    .permute([0, 1, 3, 2, 4])
    .reshape([images, rows * columns, patchSize * patchSize * channels]);
}

/** The inverse of `patchify`. */
export function unpatchify(patches: Tensor, { height, width, patchSize }: LatentSize & { patchSize: number }): Tensor {
  const [images, , values] = patches.shape;
  const [rows, columns] = [height / patchSize, width / patchSize];
  const channels = values / patchSize ** 2;
  return patches
    .reshape([images, rows, columns, patchSize, patchSize * channels])
    .permute([0, 1, 3, 2, 4])
    .reshape([images, height, width, channels]);
}
