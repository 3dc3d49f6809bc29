/** @file Diffusion mode (paper section 3.3): from pure noise to images, with classifier-free guidance. */
import { TransfusionError } from '@transfusion/core';
import { guide, type Scheduler } from '@transfusion/schedulers';
import type { ImageLayout } from './config.js';
import { initialNoise, stepNoise } from './noise.js';
import type { SequenceBatch } from './sequence-batch.js';

/** One image to draw. Its rows end with BOI. */
export interface DenoisedImage {
  /** Row of the batch whose sequence the image continues. */
  row: number;
  /** Row with BOS BOI only; needed unless the guidance is 1. */
  unconditionalRow?: number;
  /** Which of the seed's noises it starts from. */
  noiseIndex: number;
}

export interface DenoiseOptions {
  batch: SequenceBatch;
  layout: ImageLayout;
  scheduler: Scheduler;
  guidance: number;
  seed: number;
  images: readonly DenoisedImage[];
  signal?: AbortSignal;
}

export interface DenoiseStep {
  /** Steps done, from 1. */
  step: number;
  steps: number;
  /** The present estimates of the clean images, [patches, patchValues] each. */
  estimates(): Float32Array[];
}

/**
 * Denoises the images together: all conditional and unconditional halves are one batch, and only the patches are computed
 * anew in each step. Afterwards the sequences stand where they stood: append the result with `appendImages`.
 *
 * @returns the clean images, [patches, patchValues] each
 * @throws TransfusionError SAMPLER_NOT_FINITE; what `signal` was aborted with
 */
export async function* denoise(options: DenoiseOptions): AsyncGenerator<DenoiseStep, Float32Array[]> {
  const { layout, scheduler, images, seed, signal } = options;
  const { timesteps } = scheduler;
  let samples = images.map(({ noiseIndex }) => initialNoise(layout, seed, noiseIndex));
  for (let step = 0; step < timesteps.length; step++) {
    signal?.throwIfAborted();
    const predictions = await predict(options, samples, timesteps[step]);
    // Before the estimate is clamped, which would hide infinities.
    checkFinite(predictions, `the model's prediction in step ${step + 1} of ${timesteps.length}`);
    const before = samples;
    const addsNoise = scheduler.x0StepCoefficients(step).previousFromNoise !== 0;
    samples = samples.map((sample, i) => {
      const noise = addsNoise ? stepNoise(layout, { seed, image: images[i].noiseIndex, step }) : undefined;
      return scheduler.step({ prediction: predictions[i], stepIndex: step, sample, noise });
    });
    const estimates = () => before.map((sample, i) => estimateClean(scheduler, step, sample, predictions[i]));
    yield { step: step + 1, steps: timesteps.length, estimates };
  }
  checkFinite(samples, 'the scheduler');
  return samples;
}

/** Guided predictions. */
async function predict(
  { batch, guidance, images }: DenoiseOptions,
  samples: readonly Float32Array[],
  timestep: number,
): Promise<Float32Array[]> {
  const latents = new Map<number, Float32Array>();
  images.forEach(({ row, unconditionalRow }, i) => {
    latents.set(row, samples[i]);
    if (guidance !== 1 && unconditionalRow !== undefined) latents.set(unconditionalRow, samples[i]);
  });
  const predictions = await batch.predictImages(latents, timestep);
  return images.map(({ row, unconditionalRow }) => {
    const conditional = predictions.get(row)!;
    const unconditional = unconditionalRow === undefined ? undefined : predictions.get(unconditionalRow);
    return unconditional ? guide(unconditional, conditional, guidance) : conditional;
  });
}

function estimateClean(scheduler: Scheduler, step: number, sample: Float32Array, prediction: Float32Array) {
  const { x0FromSample, x0FromPrediction, clamp } = scheduler.x0StepCoefficients(step);
  return sample.map((value, i) =>
    Math.min(Math.max(x0FromSample * value + x0FromPrediction * prediction[i], -clamp), clamp),
  );
}

/** @throws TransfusionError SAMPLER_NOT_FINITE */
function checkFinite(images: readonly Float32Array[], where: string): void {
  const bad = images.findIndex((image) => !image.every(Number.isFinite));
  if (bad < 0) return;
  const at = images[bad].findIndex((value) => !Number.isFinite(value));
  throw new TransfusionError({
    code: 'SAMPLER_NOT_FINITE',
    message: `image ${bad + 1} of ${images.length}: value ${at} of ${where} is ${images[bad][at]}`,
    fix: "the model's weights are damaged, or its training diverged: use an earlier checkpoint",
  });
}
