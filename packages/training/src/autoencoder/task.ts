/** @file An autoencoder's training: its pictures and objectives, and then its state and steps on a backend. */
import { parseConfig, TransfusionError } from '@transfusion/core';
import type { CaptionedImage } from '@transfusion/data';
import type { Communicator } from '@transfusion/distributed';
import { lpipsWeights } from '@transfusion/losses';
import { type Backend, flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import {
  type AutoencoderConfig,
  autoencoderCodec,
  exportWeights,
  type ImageCodec,
  latentChannels,
  latentShapeOf,
  openCodec,
  type StoredCodec,
} from '@transfusion/vae';
import { spread } from '../in-parts.js';
import { encodeVariants } from '../latents/picture-latents.js';
import { LatentMeter, withoutScale, withScale } from '../latents/statistics.js';
import type { Phase } from '../objective.js';
import { microBatchesOf } from '../ranks/rank-group.js';
import { openState, type ResumePoint, type TrainingSession, type TrainingTask } from '../session.js';
import { splitAsConfigured } from '../split.js';
import type { TrainState } from '../train-state.js';
import { imageBatches } from './batches.js';
import { type AutoencoderTrainingConfig, autoencoderConfigOf } from './config.js';
import { fittingParameters } from './initial-values.js';
import { type AutoencoderObjectiveOptions, autoencoderObjective } from './objective.js';
import { DRAWS, seedOf } from './random.js';

/** Pictures that the scale of latents is measured on. */
const MEASURED_IMAGES = 512;

export interface AutoencoderTask extends TrainingTask {
  config: AutoencoderTrainingConfig;
  /** Its latents are not scaled. */
  autoencoder: AutoencoderConfig;
}

export interface AutoencoderTaskOptions {
  config: AutoencoderTrainingConfig;
  /** Of the pictures, in pixels. */
  size: { height: number; width: number };
  /** Tensors of a file of LPIPS weights (see `lpipsWeights` of @transfusion/losses); without them the term is off. */
  perceptual?: Parameters<typeof lpipsWeights>[0];
  /** An autoencoder whose weights to start from, where names and shapes agree. */
  initial?: StoredCodec;
}

export interface AutoencoderSession extends TrainingSession {
  config: AutoencoderTrainingConfig;
  autoencoder: AutoencoderConfig;
  images: { train: CaptionedImage[]; heldOut: CaptionedImage[] };
  /** The codec of the averaged weights; its latents are not scaled. Dispose of it after use. */
  openCodec(): Promise<ImageCodec>;
}

/** What a run consists of, apart from pictures and a device. @throws TransfusionError CONFIG_INVALID; TransfusionError CODEC_IMAGE_SIZE, LPIPS_WEIGHTS */
export function autoencoderTask({ config, size, perceptual, initial }: AutoencoderTaskOptions): AutoencoderTask {
  const { schema, value } = autoencoderConfigOf(config);
  // The scale is measured when the model is saved.
  const autoencoder = withoutScale<AutoencoderConfig>(
    parseConfig<typeof schema>(schema, value, 'autoencoder.overrides'),
  );
  const { loss, steps, seed, revival, accumulation } = config;
  if (accumulation > 1 && loss.adversarial > 0) {
    throw new TransfusionError({
      code: 'CONFIG_INVALID',
      message: `accumulation is ${accumulation}, and a discriminator (loss.adversarial is ${loss.adversarial}) judges whole batches`,
      fix: 'set accumulation to 1, or loss.adversarial to 0',
    });
  }
  latentShapeOf(autoencoderCodec(autoencoder), size);
  const plain: AutoencoderObjectiveOptions = {
    ...{ autoencoder, loss, accumulation },
    batch: { images: config.batchSize, ...size },
    revival: { ...revival, seed, steps },
  };
  const discriminator = { channels: loss.discriminatorChannels, layers: loss.discriminatorLayers };
  const phases: Phase[] = [{ from: 0, objective: autoencoderObjective(plain) }];
  if (loss.adversarial > 0) {
    const judged = autoencoderObjective({ ...plain, discriminator });
    phases.push({ from: loss.adversarialStart, objective: judged });
  }
  return {
    ...{ config, autoencoder, phases, seed, optimisation: config },
    ...(initial ? { given: fittingParameters(autoencoder, initial) } : {}),
    ...(perceptual && loss.lpips > 0 ? { constants: lpipsWeights(perceptual) } : {}),
  };
}

/** Training and held-out pictures. */
export function splitImages(
  { data }: { data: Pick<AutoencoderTrainingConfig['data'], 'heldOutFraction' | 'heldOutBy'> },
  images: readonly CaptionedImage[],
) {
  return splitAsConfigured(data, images);
}

/**
 * Puts a task on a backend.
 * @throws TransfusionError DATA_NO_EXAMPLES, DATA_IMAGE_SIZE, CHECKPOINT_FOREIGN; OutOfMemoryError
 */
export async function openAutoencoderSession(options: {
  task: AutoencoderTask;
  backend: Backend;
  images: { train: CaptionedImage[]; heldOut: CaptionedImage[] };
  resume?: ResumePoint;
  /** Of the ranks that share the work: each opens a session of the same task. */
  communicator?: Communicator;
}): Promise<AutoencoderSession> {
  const { task, backend, images, resume, communicator } = options;
  const { config, autoencoder, phases, optimisation } = task;
  checkSizes([...images.train, ...images.heldOut]);
  const { batchSize, seed, accumulation } = config;
  const { first, count } = communicator
    ? microBatchesOf(accumulation, communicator)
    : { first: 0, count: accumulation };
  const batch = imageBatches({ images: images.train, batchSize, seed, flip: config.data.flip });
  const opened = await openState(backend, task, resume, communicator);
  const codec = async () => {
    const weights = exportWeights({ config: autoencoder, values: await averagedWeights(opened.state) });
    return openCodec({ backend, config: autoencoderCodec(autoencoder), weights, maxBatch: 8 });
  };
  return {
    ...{ ...opened, backend, config, autoencoder, images, phases, optimisation, openCodec: codec },
    batches: (step) =>
      Array.from({ length: count }, (_, i) => step * accumulation + first + i).map((draw) => ({
        images: batch(draw),
        noiseSeed: seedOf(seed, draw, DRAWS.latents),
      })),
    termsOf: (terms) => terms,
    perStep: { images: batchSize * accumulation },
    async modelFiles() {
      const scaled = await measuredScale(autoencoder, images.train, codec);
      return {
        config: scaled,
        tensors: exportWeights({ config: scaled, values: await averagedWeights(opened.state) }),
      };
    },
  };
}

/** The averaged weights, by path. */
async function averagedWeights({ ema }: TrainState): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const [path, variable] of flattenTree<Variable>(ema, isVariable)) values.set(path, await variable.read());
  return values;
}

/** With the scale of latents that some of the pictures have. */
async function measuredScale(
  autoencoder: AutoencoderConfig,
  images: readonly CaptionedImage[],
  open: () => Promise<ImageCodec>,
): Promise<AutoencoderConfig> {
  const codec = await open();
  try {
    const meter = new LatentMeter(latentChannels(autoencoder));
    for (const [latents] of await encodeVariants(codec, spread(images, MEASURED_IMAGES), false)) meter.add(latents);
    return withScale(autoencoder, meter.read());
  } finally {
    codec.dispose();
  }
}

function checkSizes(images: readonly CaptionedImage[]): void {
  if (images.length === 0) return;
  const { width, height } = images[0];
  const other = images.find((image) => image.width !== width || image.height !== height);
  if (!other) return;
  throw new TransfusionError({
    code: 'DATA_IMAGE_SIZE',
    message: `an autoencoder is trained on pictures of one size: ${images[0].name} is ${width} x ${height}, ${other.name} is ${other.width} x ${other.height}`,
    fix: 'load them with one size',
  });
}
