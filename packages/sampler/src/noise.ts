/** @file Unit Gaussian noise of an image, drawn on the host: the same on every backend, whatever the patch size. */
import { PhiloxStream } from '@transfusion/tensor';
import type { ImageLayout } from './config.js';
import { RandomPurpose } from './random-purpose.js';

function draw(stream: PhiloxStream, { latent }: ImageLayout): Float32Array {
  const noise = new Float32Array(latent.height * latent.width * latent.channels);
  for (let i = 0; i < noise.length; i++) noise[i] = stream.normal();
  return noise;
}

/** x_T of image number `image` of a seed: [height, width, channels]. */
export function initialNoise(layout: ImageLayout, seed: number, image: number): Float32Array {
  return draw(new PhiloxStream(seed, RandomPurpose.initialNoise, image), layout);
}

/** The fresh noise that denoising step `step` of that image adds, where its scheduler adds any. */
export function stepNoise(layout: ImageLayout, options: { seed: number; image: number; step: number }): Float32Array {
  return draw(new PhiloxStream(options.seed, RandomPurpose.stepNoise, options.image, options.step), layout);
}
