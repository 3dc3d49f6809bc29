/** @file How images enter the transformer and leave it (paper section 3.2, figure 3): latents to vectors, vectors to latents. */
import type { Tensor } from '@transfusion/tensor';

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

/** What a patcher must know of its model. */
export interface PatcherSizes {
  /** Width of the transformer. */
  channels: number;
  patchSize: number;
  /** Numbers in a patch. */
  patchValues: number;
}
