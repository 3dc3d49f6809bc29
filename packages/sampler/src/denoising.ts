/** @file Images that are being denoised, as those who take the steps see them. */
import type { Evaluation, GuidancePlan } from '@transfusion/schedulers';
import type { LatentShape } from '@transfusion/vae';
import type { Denoiser, ImageFault, KnownImage, StartedImage } from './denoiser.js';

export interface BeginImagesOptions {
  guidance: GuidancePlan;
  /** What it begins with, [height, width, channels] of each image. */
  samples: readonly Float32Array[];
  /** Of each image, where anything is known. */
  known?: readonly KnownImage[];
  /** The size of each. */
  latent: LatentShape;
}

/** Images that are being denoised together, one evaluation after the other. */
export interface Denoising {
  /**
   * Begins an evaluation of the plan, number `index` from 0. Fulfilled when it is done.
   *
   * @param noise fresh for it, [height, width, channels] of each image, where the evaluation adds any
   */
  run(evaluation: Evaluation, index: number, noise?: readonly Float32Array[]): Promise<void>;
  /** The images after the evaluations begun so far, [height, width, channels] each. */
  samples(): Promise<Float32Array[]>;
  /** The latest estimates of the clean images, likewise. */
  estimates(): Promise<Float32Array[]>;
  /** The first fault of the first image that has one. */
  fault(): Promise<ImageFault | undefined>;
}

/** All images of a denoiser take a step together. */
export class StartedImages implements Denoising {
  constructor(
    readonly denoiser: Denoiser,
    readonly images: readonly StartedImage[],
  ) {}

  run(evaluation: Evaluation, index: number, noise?: readonly Float32Array[]): Promise<void> {
    return this.denoiser.run(this.images.map((image, i) => ({ image, evaluation, index, noise: noise?.[i] })));
  }

  samples(): Promise<Float32Array[]> {
    return this.denoiser.samples(this.images);
  }

  estimates(): Promise<Float32Array[]> {
    return this.denoiser.estimates(this.images);
  }

  fault(): Promise<ImageFault | undefined> {
    return this.denoiser.fault(this.images);
  }
}
