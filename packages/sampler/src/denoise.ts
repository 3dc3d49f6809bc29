/** @file Diffusion mode (paper section 3.3): from pure noise to images, with classifier-free guidance. */
import { nextTask, TransfusionError } from '@transfusion/core';
import type { GuidancePlan, NoiseLevel, SamplingPlan } from '@transfusion/schedulers';
import type { ImageLayout } from './config.js';
import type { Denoising } from './denoising.js';
import type { Fault } from './fault-code.js';
import type { SourceLatents } from './image-to-image.js';
import { initialNoise, stepNoise } from './noise.js';
import type { Sequences } from './sequences.js';

export interface DenoiseOptions {
  /**
   * Sequence i ends with the BOI of image i; where anything is guided sequence 2 i does, and 2 i + 1 with that of its
   * unconditional context.
   */
  batch: Sequences;
  layout: ImageLayout;
  plan: SamplingPlan;
  guidance: GuidancePlan;
  seed: number;
  /** Of each image, which of the seed's noises it starts from. */
  noiseIndices: readonly number[];
  /** Of each image what it starts from, noised; `plan` is then cut. Either all of them have something known or none. */
  sources?: readonly SourceLatents[];
  signal?: AbortSignal;
}

export interface DenoisedStep {
  /** Steps taken, from 1. The device may still be at work on the last of them. */
  step: number;
  steps: number;
  /** Reads the present estimates of the clean images, [height, width, channels] of latents each. To be called before the next step is asked for. */
  estimates(): Promise<Float32Array[]>;
}

/**
 * Denoises the images together: all conditional and unconditional halves are one batch, and only the patches are computed
 * anew in each step. The images stay on the device until the last step is done, unless estimates are asked for. Afterwards
 * the sequences stand where they stood: append the result with `appendImages`. Whoever leaves before the end must `return` it,
 * so that nothing is at work on the batch any more.
 *
 * @returns the clean images, [height, width, channels] of latents each
 * @throws TransfusionError SAMPLER_NOT_FINITE; what `signal` was aborted with
 */
export async function* denoise(options: DenoiseOptions): AsyncGenerator<DenoisedStep, Float32Array[]> {
  const { batch, layout, plan, guidance, seed, noiseIndices, signal } = options;
  const { steps, evaluations } = plan;
  const denoiser = await batch.beginImages({ guidance, latent: layout.latent, ...start(options) });
  let running = Promise.resolve();
  try {
    for (const [index, evaluation] of evaluations.entries()) {
      await nextTask();
      signal?.throwIfAborted();
      const { step, next } = evaluation;
      const fresh = () => noiseIndices.map((image) => stepNoise(layout, { seed, image, step }));
      const noise = next.noise === 0 ? undefined : fresh();
      // While the device is at work on one evaluation the next is handed to it, and no more: the work can be cancelled.
      const before = running;
      running = denoiser.run(evaluation, index, noise);
      // Failures are met where it is awaited.
      running.catch(() => {});
      await before;
      if (step === evaluations[index + 1]?.step) continue;
      yield { step: step + 1, steps, estimates: () => denoiser.estimates() };
    }
    await running;
    return await finished(denoiser, plan);
  } finally {
    // Whoever is given the batch next finds it at rest.
    await running.catch(() => {});
  }
}

/** All steps, one after the other. @param onStep called after every step, and waited for */
export async function toTheEnd(
  steps: AsyncGenerator<DenoisedStep, Float32Array[]>,
  onStep: (step: DenoisedStep) => unknown = () => {},
): Promise<Float32Array[]> {
  try {
    let result = await steps.next();
    while (!result.done) {
      await onStep(result.value);
      result = await steps.next();
    }
    return result.value;
  } finally {
    await steps.return([]);
  }
}

/** Pure noise, or the sources with as much of it as the plan begins with. */
function start({ layout, plan, seed, noiseIndices, sources }: DenoiseOptions) {
  const noises = noiseIndices.map((image) => initialNoise(layout, seed, image));
  if (!sources) return { samples: noises };
  const { from } = plan.evaluations[0];
  const known = sources.flatMap(({ latents, known: where }, i) =>
    where ? [{ x0: latents, noise: noises[i], known: where }] : [],
  );
  return {
    samples: noises.map((noise, i) => noised(sources[i].latents, noise, from)),
    ...(known.length > 0 && { known }),
  };
}

function noised(latents: Float32Array, epsilon: Float32Array, { signal, noise }: NoiseLevel): Float32Array {
  return latents.map((value, i) => signal * value + noise * epsilon[i]);
}

/** @throws TransfusionError SAMPLER_NOT_FINITE */
async function finished(denoiser: Denoising, { steps, evaluations }: SamplingPlan): Promise<Float32Array[]> {
  const samples = await denoiser.samples();
  const fault = await denoiser.fault();
  if (fault) {
    const { step } = evaluations[fault.evaluation];
    throw notFinite(fault, samples.length, `the model's prediction in step ${step + 1} of ${steps}`);
  }
  samples.forEach((sample, image) => {
    const index = sample.findIndex((value) => !Number.isFinite(value));
    if (index >= 0) throw notFinite({ image, index, value: sample[index] }, samples.length, 'the scheduler');
  });
  return samples;
}

function notFinite({ image, index, value }: Fault & { image: number }, images: number, where: string) {
  return new TransfusionError({
    code: 'SAMPLER_NOT_FINITE',
    message: `image ${image + 1} of ${images}: value ${index} of ${where} is ${value}`,
    fix: "the model's weights are damaged, or its training diverged: use an earlier checkpoint",
  });
}
