/** @file Where along the noise the losses lie: the squared error of the prediction at one timestep after the other. */
import { nextTask, TransfusionError } from '@transfusion/core';
import { conversionCoefficients } from '@transfusion/schedulers';
import { compileLosses } from '../compile-step.js';
import { spread } from '../in-parts.js';
import { objectiveOf } from './objective-of.js';
import type { TransfusionSession } from './session.js';

/** The losses in the middle of a bin of timesteps. */
export interface TimestepLoss {
  /** 0 is nearly the image, the last nearly noise. */
  timestep: number;
  /** What the image and the noise are multiplied with there. */
  signal: number;
  noise: number;
  /** Mean squared error per element of what the model predicts, whatever that is. */
  prediction: number;
  /**
   * The same error as one of the clean image that the prediction implies: runs of different predictions compare. Where an epsilon
   * prediction says little of the image, near pure noise, it is large.
   */
  image: number;
}

export interface TimestepLossOptions {
  /** Bins of the schedule's timesteps, all as wide; default 20. */
  bins?: number;
  /** Most pictures and most documents of either split, taken evenly from all of them; default 64. */
  examples?: number;
  /** Of the noise: with one seed, every model and every timestep has the same; default 0. */
  seed?: number;
  signal?: AbortSignal;
  /** Called after every bin of either split. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

/** What it needs of a session; `state.ema` are the weights that are looked at. */
export type TimestepLossSession = Pick<
  TransfusionSession,
  'backend' | 'state' | 'sizes' | 'source' | 'diffusionObjective' | 'examples' | 'documents'
>;

/**
 * Diffusion losses by timestep, over what was held out and over a part of what was trained on: where the two part, the model
 * learns by heart. With the averaged weights; captions stand before their pictures. A split without images to denoise is left
 * out, as is a timestep that none of its images may have; nothing is there where images are tokens.
 *
 * @throws TransfusionError CONFIG_BINS: there are not as many timesteps
 */
export async function lossByTimestep(
  session: TimestepLossSession,
  { bins = 20, examples: most = 64, seed = 0, signal, onProgress }: TimestepLossOptions = {},
): Promise<{ heldOut?: TimestepLoss[]; train?: TimestepLoss[] }> {
  const { backend, state, sizes, source, examples, documents, diffusionObjective } = session;
  const timesteps = middles(bins, diffusionObjective.noiseSchedule.config.trainTimesteps);
  const splits = (['heldOut', 'train'] as const).map((name) => ({
    name,
    given: {
      examples: spread(examples[name], most),
      documents: spread(documents[name], most),
    },
  }));
  if (sizes.codes || sizes.model.images !== 'diffusion') return {};
  const objective = objectiveOf({ ...sizes, noise: 'given' });
  const compiled = await compileLosses(backend, objective, { parameters: state.ema, constants: state.constants });
  const losses: { heldOut?: TimestepLoss[]; train?: TimestepLoss[] } = {};
  const progress = { done: 0, total: splits.length * bins };
  try {
    for (const { name, given } of splits) {
      const found: TimestepLoss[] = [];
      for (const timestep of timesteps) {
        const prediction = await meanError(source.evaluation(given, { timestep, seed }));
        if (prediction !== undefined) found.push(lossAt(timestep, prediction));
        progress.done++;
        onProgress?.({ ...progress });
      }
      if (found.length > 0) losses[name] = found;
    }
  } finally {
    compiled.dispose();
  }
  return losses;

  async function meanError(batches: ReturnType<typeof source.evaluation>): Promise<number | undefined> {
    let [sum, count] = [0, 0];
    for (const { arrays, images } of batches) {
      if (images === 0) continue;
      // On the CPU no turn of the event loop is taken otherwise, and no signal is delivered.
      await nextTask();
      signal?.throwIfAborted();
      sum += (await compiled.run({ batch: arrays })).diffusion[0];
      count += images;
    }
    return count > 0 ? sum / count : undefined;
  }

  function lossAt(timestep: number, prediction: number): TimestepLoss {
    const level = diffusionObjective.noiseSchedule.level(timestep);
    // x_t is known: only the prediction's share of x0 is in error.
    const from = diffusionObjective.parameterisation;
    const { prediction: share } = conversionCoefficients({ from, to: 'sample', level });
    return { timestep, signal: level.signal, noise: level.noise, prediction, image: share ** 2 * prediction };
  }
}

/** The middle of each bin. */
function middles(bins: number, timesteps: number): number[] {
  if (!Number.isInteger(bins) || bins < 1 || bins > timesteps) {
    throw new TransfusionError({
      code: 'CONFIG_BINS',
      message: `lossByTimestep: bins is ${bins}, expected an integer from 1 to ${timesteps} (the schedule's timesteps)`,
      fix: 'leave it out for 20, or for a schedule of fewer timesteps ask for fewer bins',
    });
  }
  return Array.from({ length: bins }, (_, i) => Math.floor(((i + 0.5) * timesteps) / bins));
}
