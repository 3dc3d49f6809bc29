/** @file Training an autoencoder: what the loop does at every step, and what it writes on the way. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { imageOf } from '@transfusion/data';
import { latentChannels } from '@transfusion/vae';
import { spread } from '../in-parts.js';
import { encodeVariants } from '../latents/example-latents.js';
import { LatentMeter, withScale } from '../latents/statistics.js';
import { comparisonGrid } from '../report/comparison-grid.js';
import { type LoopResult, type Progress, trainingLoop } from '../train/loop.js';
import { runFiles } from '../train/run-files.js';
import { type AutoencoderScores, reconstruct, scoreAutoencoder } from './evaluate.js';
import { saveAutoencoderRun } from './run-folder.js';
import { type AutoencoderSession, sessionCodec } from './session.js';

/** Pictures that the scale of latents is measured on. */
const MEASURED_IMAGES = 512;

export interface TrainAutoencoderOptions {
  session: AutoencoderSession;
  /** The run's folder. */
  folder: string;
  start?: Progress;
  /** Finish the step in progress, save, and return. */
  signal: AbortSignal;
}

export interface AutoencoderTrainResult extends LoopResult {
  /** Of all held-out pictures, where the run is finished and there are any. */
  scores?: AutoencoderScores;
}

/** Trains until `config.steps`; at the end scores all held-out pictures and writes `reconstructions.png`. */
export async function trainAutoencoder(options: TrainAutoencoderOptions): Promise<AutoencoderTrainResult> {
  const { session, folder, start, signal } = options;
  const { config, runner, batch, images } = session;
  const files = runFiles(folder);
  const result = await trainingLoop({
    ...{ folder, start, signal, metricsFile: files.metrics },
    ...{ steps: config.steps, logEvery: config.logEvery, checkpointEvery: config.checkpointEvery },
    step: (step) => runner.run(step, batch(step)),
    speeds: (stepsPerSecond) => ({
      imagesPerSecond: config.batchSize * stepsPerSecond,
      gflopPerSecond: (runner.flops * stepsPerSecond) / 1e9,
    }),
    describe,
    sampleEvery: config.sample.every,
    async sample(step) {
      await mkdir(files.samples, { recursive: true });
      return present(session, join(files.samples, `step-${step}.png`), config.sample.scored);
    },
    save: (progress) => save(session, folder, progress),
  });
  if (!result.finished) return result;
  const { heldOut } = await present(session, join(folder, 'reconstructions.png'), images.heldOut.length, signal);
  return { ...result, scores: heldOut };
}

function describe({ l1, imagesPerSecond, ...others }: Record<string, number>): string {
  const rest = ['kl', 'codebook', 'ssim', 'lpips', 'generator', 'discriminator']
    .filter((name) => others[name] !== undefined)
    .map((name) => `${name} ${others[name].toPrecision(3)}`);
  return [`L1 ${l1.toFixed(4)}`, ...rest, `${imagesPerSecond.toFixed(1)} images/s`].join(' ');
}

/** Writes a grid of held-out pictures (training ones where there are none) and scores `scored` held-out ones. */
async function present(session: AutoencoderSession, path: string, scored: number, signal?: AbortSignal) {
  const { images, config } = session;
  const codec = await sessionCodec(session);
  try {
    const few = spread(images.heldOut.length > 0 ? images.heldOut : images.train, config.sample.images);
    await writeFile(path, comparisonGrid(few.map(imageOf), await reconstruct(codec, few), 128));
    const scoredImages = spread(images.heldOut, scored);
    return scoredImages.length > 0 ? { heldOut: await scoreAutoencoder(codec, scoredImages, { signal }) } : {};
  } finally {
    codec.dispose();
  }
}

async function save(session: AutoencoderSession, folder: string, progress: Progress): Promise<void> {
  const { state, config, autoencoder, images, data } = session;
  const codec = await sessionCodec(session);
  try {
    const measured = spread(images.train, MEASURED_IMAGES);
    const meter = new LatentMeter(latentChannels(autoencoder));
    for (const [latents] of await encodeVariants(codec, measured, false)) meter.add(latents);
    const scaled = withScale(autoencoder, meter.read());
    await saveAutoencoderRun(folder, { state, autoencoder: scaled, config, data, progress });
  } finally {
    codec.dispose();
  }
}
