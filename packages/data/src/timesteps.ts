/** @file The diffusion timestep of each image of a batch. */
import { TransfusionError } from '@transfusion/core';
import { PhiloxStream } from '@transfusion/tensor';
import type { PackedImage } from './pack.js';
import { RandomPurpose } from './random-purpose.js';

/**
 * Timesteps i32 [slots] of every group, as table indices: index i is the paper's t = i + 1. Uniform over [0, timesteps), or
 * below an image's noise cap (paper section 4.3.4: t <= 500 of 1,000), unless `quantile` says otherwise. Unused slots and images
 * that are only looked at hold 0. A pure function of (seed, step) and the images' slots.
 */
export function drawTimesteps(options: {
  seed: number;
  step: number;
  groups: readonly { slots: number }[];
  images: readonly Pick<PackedImage, 'group' | 'slot' | 'role' | 'noiseCap'>[];
  /** Length of the noise schedule; default 1000. */
  timesteps?: number;
  /** The timestep of a uniform number in [0, 1), below a limit; default: all alike. See `timestepQuantile` of schedulers. */
  quantile?: (uniform: number, limit: number) => number;
}): Int32Array[] {
  const { seed, step, groups, images, timesteps = 1000, quantile = evenly } = options;
  const stream = new PhiloxStream(seed, RandomPurpose.timestep, step);
  // One draw for every slot, used or not, so that an image's timestep does not depend on the other images.
  const uniform = groups.map(({ slots }) => Float64Array.from({ length: slots }, () => stream.uniform()));
  const drawn = groups.map(({ slots }) => new Int32Array(slots));
  for (const { group, slot, role, noiseCap = timesteps } of images) {
    if (!(noiseCap >= 1 && noiseCap <= timesteps)) {
      throw new TransfusionError({
        code: 'DATA_TIMESTEP_CAP',
        message: `drawTimesteps: an image's noiseCap is ${noiseCap}, expected 1 to ${timesteps} (the schedule's timesteps)`,
      });
    }
    if (role === 'target') drawn[group][slot] = quantile(uniform[group][slot], noiseCap);
  }
  return drawn;
}

function evenly(uniform: number, limit: number): number {
  return Math.floor(uniform * limit);
}
