/** @file The diffusion timestep of each image of a batch. */
import { TransfusionError } from '@transfusion/core';
import { PhiloxStream } from '@transfusion/tensor';
import type { PackedImage } from './pack.js';
import { RandomPurpose } from './random-purpose.js';

/**
 * Timesteps i32 [rows, maxImagesPerRow] as table indices: index i is the paper's t = i + 1. Uniform over [0, timesteps),
 * or [0, imageFirstCap) for image-first images (paper section 4.3.4: t <= 500 of 1,000). Unused slots hold 0. A pure
 * function of (seed, step) and the images' slots.
 */
export function drawTimesteps(options: {
  seed: number;
  step: number;
  rows: number;
  maxImagesPerRow: number;
  images: Pick<PackedImage, 'row' | 'slot' | 'imageFirst'>[];
  /** Length of the noise schedule; default 1000. */
  timesteps?: number;
  /** Default 500; give `timesteps` to lift the cap. */
  imageFirstCap?: number;
}): Int32Array {
  const { seed, step, rows, maxImagesPerRow, images, timesteps = 1000, imageFirstCap = 500 } = options;
  if (!(imageFirstCap >= 1 && imageFirstCap <= timesteps)) {
    throw new TransfusionError({
      code: 'DATA_TIMESTEP_CAP',
      message: `drawTimesteps: imageFirstCap is ${imageFirstCap}, expected 1 to ${timesteps} (the schedule's timesteps)`,
    });
  }
  const stream = new PhiloxStream(seed, RandomPurpose.timestep, step);
  // One draw for every slot, used or not, so that an image's timestep does not depend on the other images.
  const uniform = Float64Array.from({ length: rows * maxImagesPerRow }, () => stream.uniform());
  const drawn = new Int32Array(rows * maxImagesPerRow);
  for (const { row, slot, imageFirst } of images) {
    const at = row * maxImagesPerRow + slot;
    drawn[at] = Math.floor(uniform[at] * (imageFirst ? imageFirstCap : timesteps));
  }
  return drawn;
}
