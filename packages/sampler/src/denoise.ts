/** @file Diffusion mode (paper section 3.3): from pure noise to images, with classifier-free guidance. */
import { nextTask, TransfusionError } from '@transfusion/core';
import type { SamplingPlan } from '@transfusion/schedulers';
import type { ImageLayout } from './config.js';
import type { Denoiser } from './denoiser.js';
import type { Fault } from './fault-code.js';
import { initialNoise, stepNoise } from './noise.js';
import type { SequenceBatch } from './sequence-batch.js';

export interface DenoiseOptions {
  /**
   * Sequence i ends with the BOI of image i. Unless the guidance is 1, sequence `rows / 2 + i` is BOS BOI.
   */
  batch: SequenceBatch;
  layout: ImageLayout;
  plan: SamplingPlan;
  guidance: number;
  seed: number;
  /** Of each image, which of the seed's noises it starts from. */
  noiseIndices: readonly number[];
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
  const noise = noiseIndices.map((image) => initialNoise(layout, seed, image));
  const denoiser = await batch.beginImages({ guided: guidance !== 1, noise });
  let running = Promise.resolve();
  try {
    for (const [index, evaluation] of evaluations.entries()) {
      await nextTask();
      signal?.throwIfAborted();
      const { step, next } = evaluation;
      if (next.noise !== 0) denoiser.setNoise(noiseIndices.map((image) => stepNoise(layout, { seed, image, step })));
      // While the device is at work on one evaluation the next is handed to it, and no more: the work can be cancelled.
      const before = running;
      running = denoiser.run(evaluation, { index, guidance });
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

/** `denoise` to its end. @param onStep called after every step, and waited for */
export async function denoiseAll(
  options: DenoiseOptions,
  onStep: (step: DenoisedStep) => unknown = () => {},
): Promise<Float32Array[]> {
  const steps = denoise(options);
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

/** @throws TransfusionError SAMPLER_NOT_FINITE */
async function finished(denoiser: Denoiser, { steps, evaluations }: SamplingPlan): Promise<Float32Array[]> {
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
