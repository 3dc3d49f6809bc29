/** @file An autoencoder's training run in memory: pictures, state, compiled steps. */
import type { Terminal } from '@transfusion/app-common';
import { readSafetensorsFile } from '@transfusion/checkpoint/node';
import { parseConfig } from '@transfusion/core';
import { type CaptionedImage, splitDataset } from '@transfusion/data';
import { type LpipsParameters, lpipsWeights } from '@transfusion/losses';
import { type Backend, createVariable, flattenTree, isVariable, mapTree, type Variable } from '@transfusion/tensor';
import {
  type AutoencoderConfig,
  autoencoderCodec,
  exportWeights,
  type ImageCodec,
  latentShapeOf,
  openCodec,
} from '@transfusion/vae';
import { type LoadDatasetOptions, loadDataset } from '../data/dataset.js';
import { type Fingerprint, fingerprintOf, tellChangedData } from '../data/fingerprint.js';
import { withoutScale } from '../latents/statistics.js';
import { describeMemory } from '../train/planning-backend.js';
import { imageBatches } from './batches.js';
import { autoencoderConfigOf, type VaeRunConfig } from './config.js';
import { initialValues } from './initial-values.js';
import { planAutoencoder } from './plan-step.js';
import { averagedWeights, type LoadedAutoencoderRun } from './run-folder.js';
import { checkStateValues } from './state-values.js';
import { type AutoencoderStepRunner, createAutoencoderRunner } from './step-runner.js';
import { type AutoencoderState, type AutoencoderStepOptions, createAutoencoderState } from './training-step.js';

export interface AutoencoderSession {
  backend: Backend;
  config: VaeRunConfig;
  /** Its latents are not scaled. */
  autoencoder: AutoencoderConfig;
  images: { train: CaptionedImage[]; heldOut: CaptionedImage[] };
  /** Of what it is trained on. */
  data: Fingerprint;
  state: AutoencoderState;
  batch(step: number): Float32Array;
  runner: AutoencoderStepRunner;
  /** Frees the state and the compiled steps. */
  dispose(): void;
}

export interface AutoencoderSessionOptions {
  config: VaeRunConfig;
  backend: Backend;
  cacheFolder: string;
  terminal: Pick<Terminal, 'log' | 'signal'>;
  /** To go on from. */
  resume?: LoadedAutoencoderRun;
}

/** @throws TransfusionError or CheckpointError CONFIG_*, DATA_*, CODEC_*, LPIPS_WEIGHTS, DISCRIMINATOR_IMAGE_SIZE, CHECKPOINT_FOREIGN */
export async function openAutoencoderSession(options: AutoencoderSessionOptions): Promise<AutoencoderSession> {
  const { config, backend, cacheFolder, terminal, resume } = options;
  const step = stepOptions(config);
  const { largest } = await planAutoencoder(config, step);
  if (resume) checkStateValues(step, resume.values);
  const weights = await readPerceptual(config);
  if (config.loss.lpips > 0 && !weights) terminal.log('LPIPS is off: loss.lpipsWeights names no file');
  if (step.discriminator && config.loss.adversarialStart >= config.steps) {
    terminal.log(`the discriminator would start at step ${config.loss.adversarialStart}, after the last one`);
  }
  const images = await loadImages(config, { cacheFolder, terminal });
  const data = fingerprintOf([...images.train, ...images.heldOut]);
  tellChangedData(resume?.state, data, terminal);
  const { batchSize, seed } = config;
  const batch = imageBatches({ images: images.train, batchSize, seed, flip: config.data.flip });
  const values = resume?.values ?? (await freshValues(config, step, terminal));
  terminal.log(describeMemory(largest));
  const perceptual = weights && mapTree(weights, isWeight, (each) => createVariable(backend, each));
  const state = createAutoencoderState(backend, step, values);
  const free = () => {
    for (const variable of flattenTree<Variable>({ state, perceptual }, isVariable).values()) variable.destroy();
  };
  try {
    const parts = { backend, state, options: step, config, perceptual };
    const runner = await createAutoencoderRunner(parts, resume?.state.step);
    return {
      ...{ backend, config, autoencoder: step.autoencoder, images, data, state, batch, runner },
      dispose() {
        runner.dispose();
        free();
      },
    };
  } catch (error) {
    free();
    throw error;
  }
}

/** What a step consists of. @throws CheckpointError CONFIG_INVALID; TransfusionError CODEC_IMAGE_SIZE */
export function stepOptions(config: VaeRunConfig): AutoencoderStepOptions {
  const { schema, value } = autoencoderConfigOf(config);
  // The scale is measured when the model is saved.
  const autoencoder = withoutScale<AutoencoderConfig>(
    parseConfig<typeof schema>(schema, value, 'autoencoder.overrides'),
  );
  const { maxGradientNorm, ...optimizer } = config.optimizer;
  const { loss, batchSize, data } = config;
  latentShapeOf(autoencoderCodec(autoencoder), { height: data.imageSize, width: data.imageSize });
  return {
    ...{ autoencoder, loss, optimizer, maxGradientNorm },
    batch: { images: batchSize, size: data.imageSize },
    discriminator:
      loss.adversarial > 0 ? { channels: loss.discriminatorChannels, layers: loss.discriminatorLayers } : undefined,
  };
}

/** Training and held-out pictures; captions are not looked for. */
export async function loadImages({ data }: Pick<VaeRunConfig, 'data'>, options: LoadDatasetOptions) {
  const { images } = await loadDataset({ ...data, captions: 'none' }, options);
  return splitDataset({ images, fraction: data.heldOutFraction, by: data.heldOutBy ?? 'list' });
}

/** The codec of the averaged weights; its latents are not scaled. Dispose of it after use. */
export async function sessionCodec({ backend, autoencoder, state }: AutoencoderSession): Promise<ImageCodec> {
  const weights = exportWeights({ config: autoencoder, values: await averagedWeights(state) });
  return openCodec({ backend, config: autoencoderCodec(autoencoder), weights, maxBatch: 8 });
}

async function freshValues(config: VaeRunConfig, step: AutoencoderStepOptions, terminal: Pick<Terminal, 'log'>) {
  const { values, taken } = await initialValues(config, step);
  if (config.initialWeights !== null) terminal.log(`${taken} parameters start from ${config.initialWeights}`);
  return values;
}

async function readPerceptual({ loss }: VaeRunConfig): Promise<LpipsParameters<Weight> | undefined> {
  if (loss.lpipsWeights === null || loss.lpips === 0) return undefined;
  return lpipsWeights({ tensors: await readSafetensorsFile(loss.lpipsWeights), where: loss.lpipsWeights });
}

type Weight = { shape: number[]; data: Float32Array };
const isWeight = (value: unknown): value is Weight => (value as Partial<Weight> | null)?.data instanceof Float32Array;
