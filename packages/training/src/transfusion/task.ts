/** @file The model's training: its data and objective, and then its state and steps on a backend. */
import { parseConfig, TransfusionError } from '@transfusion/core';
import { type CaptionedImage, imageOf, splitDataset, type TextDocument } from '@transfusion/data';
import { imageLayout, objectiveOptions, type PipelineConfig, pipelineConfigSchema } from '@transfusion/sampler';
import { createObjective } from '@transfusion/schedulers';
import { type Backend, flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import type { Tokenizer } from '@transfusion/tokenizer';
import type { TransfusionParameters } from '@transfusion/transformer';
import {
  type CodecConfig,
  type ImageCodec,
  type LatentDistribution,
  latentShapeOf,
  openCodec,
  type StoredCodec,
} from '@transfusion/vae';
import type { InPartsOptions } from '../in-parts.js';
import { encodeVariants, patchifyVariants } from '../latents/example-latents.js';
import type { BatchArrays, Objective } from '../objective.js';
import {
  type ModelFiles,
  type NamedTensor,
  openState,
  type ResumePoint,
  type TrainingSession,
  type TrainingTask,
} from '../session.js';
import type { TrainState } from '../train-state.js';
import { type BatchSource, batchShape, createBatchSource, type TrainingExample } from './batches.js';
import { fitCaptions } from './caption-lengths.js';
import type { TransfusionTrainingConfig } from './config.js';
import type { Example, Split, TextExample } from './examples.js';
import { modelConfigOf } from './model-config.js';
import { type BatchShape, transfusionObjective } from './objective.js';
import { splitTextExamples } from './split-texts.js';
import { type TextRow, textRows } from './text-rows.js';

export interface TransfusionTaskOptions {
  config: TransfusionTrainingConfig;
  /** All of one size. */
  images: readonly CaptionedImage[];
  /** Plain texts; default: none. */
  texts?: readonly TextDocument[];
  /** Side of an image in pixels; default: that of the pictures. */
  imageSize?: number;
  tokenizer: Tokenizer;
  /** The autoencoder whose latents are diffused; default: pixels. */
  codec?: StoredCodec;
  /** Told what was cut or skipped. */
  log?: (line: string) => void;
}

/** What a run consists of, apart from a device. */
export interface TransfusionTask extends TrainingTask {
  config: TransfusionTrainingConfig;
  /** In the dataset's order. */
  examples: Example[];
  texts: Split<TextRow>;
  tokenizer: Tokenizer;
  codec: StoredCodec;
  pipeline: PipelineConfig;
  batch: BatchShape;
}

export interface TransfusionSession extends TrainingSession {
  state: TrainState<TransfusionParameters<Variable>>;
  config: TransfusionTrainingConfig;
  pipeline: PipelineConfig;
  objective: Objective;
  batch: BatchShape;
  source: BatchSource;
  examples: Split<TrainingExample>;
  /** Plain texts, as rows of a batch. */
  texts: Split<TextRow>;
  tokenizer: Tokenizer;
  codec: ImageCodec;
}

export const PIXELS: StoredCodec = { config: { kind: 'pixels' }, weights: new Map(), where: 'pixels' };

/** @throws TransfusionError CONFIG_*, DATA_*, CODEC_*: parts of the configuration do not go together */
export function transfusionTask(options: TransfusionTaskOptions): TransfusionTask {
  const { config, images, texts = [], tokenizer, codec = PIXELS, log } = options;
  const imageSize = options.imageSize ?? sizeOf(images);
  const { patchesPerImage, patchValues } = patchGrid({ imageSize, patchSize: config.patchSize }, codec.config);
  const encoded = images.map((image) => ({ ...image, captionIds: tokenizer.encode(image.caption ?? '') }));
  const examples = fitCaptions(config, encoded, patchesPerImage, log);
  const batch = batchShape(config, examples, patchesPerImage);
  const { sequenceLength } = batch;
  const model = modelConfigOf(config, { vocabularySize: tokenizer.vocabularySize, patchValues, sequenceLength });
  const parts = {
    format: 'transfusion',
    version: 1,
    model,
    image: { size: imageSize, channels: 3, patchSize: config.patchSize },
    codec: codec.config,
    diffusion: { ...config.diffusion, clampSample: clampOf(config, codec.config) },
    sampling: config.sampling,
    trainedOn: {
      pictures: examples.length > 0,
      captions: examples.some(({ caption }) => caption !== undefined),
      texts: texts.length > 0,
    },
  };
  const pipeline = parseConfig(pipelineConfigSchema, parts, 'configuration');
  const { lambda, checkpointActivations, precision, seed } = config;
  const objective = transfusionObjective({ model, batch, lambda, checkpointActivations }) as Objective;
  const textExamples = texts.map((each) => ({ ...each, ids: tokenizer.encode(each.text) }));
  return {
    ...{ config, examples, tokenizer, codec, pipeline, batch, seed },
    texts: splitTexts(config, textExamples, { sequenceLength, special: tokenizer.special }),
    phases: [{ from: 0, objective }],
    optimisation: { ...config, accumulation: config.batch.accumulation, precision },
  };
}

function sizeOf([first]: readonly CaptionedImage[]): number {
  if (first) return imageOf(first).width;
  throw new TransfusionError({
    code: 'DATA_NO_EXAMPLES',
    message: 'there is no picture, and no size of an image is given',
    fix: 'give the size that the model would draw, as imageSize',
  });
}

/** Pixels are in [-1, 1]; scaled latents have deviation 1 and no bounds. */
function clampOf({ diffusion: { clampSample } }: TransfusionTrainingConfig, { kind }: CodecConfig): number | null {
  if (clampSample !== undefined) return clampSample;
  return kind === 'pixels' ? 1.5 : 4;
}

/** Patches of an image, and values of a patch. @throws TransfusionError CODEC_IMAGE_SIZE, CONFIG_PATCH_SIZE */
export function patchGrid(
  { imageSize, patchSize }: { imageSize: number; patchSize: number },
  codec: CodecConfig,
): { patchesPerImage: number; patchValues: number } {
  const { height, width, channels } = latentShapeOf(codec, { height: imageSize, width: imageSize });
  if (height % patchSize !== 0 || width % patchSize !== 0) {
    throw new TransfusionError({
      code: 'CONFIG_PATCH_SIZE',
      message: `patchSize: an image of ${imageSize} x ${imageSize} has latents of ${height} x ${width} (codec: ${codec.kind}), and ${height} x ${width} does not divide into patches of ${patchSize} x ${patchSize}`,
      fix: 'choose a patch size that divides the latents',
    });
  }
  const patchesPerImage = (height / patchSize) * (width / patchSize);
  return { patchesPerImage, patchValues: patchSize * patchSize * channels };
}

/** Training and held-out examples. */
export function splitExamples<One extends Example>({ data }: TransfusionTrainingConfig, examples: readonly One[]) {
  return splitDataset({ images: examples, fraction: data.heldOutFraction, by: data.heldOutBy ?? 'list' });
}

/** Rows of training and of held-out texts. */
function splitTexts(
  { data }: TransfusionTrainingConfig,
  texts: readonly TextExample[],
  layout: Parameters<typeof textRows>[1],
): Split<TextRow> {
  const { train, heldOut } = splitTextExamples(texts, data.heldOutFraction);
  const rows = (some: readonly TextExample[]) =>
    textRows(
      some.map(({ ids }) => ids),
      layout,
    );
  return { train: rows(train), heldOut: rows(heldOut) };
}

export interface TransfusionSessionOptions extends InPartsOptions {
  task: TransfusionTask;
  backend: Backend;
  /** Of every example, the latents of its variants (the picture, and its mirror image), scaled; default: encoded now. */
  latents?: readonly (readonly LatentDistribution[])[];
  resume?: ResumePoint;
}

/** Puts a task on a backend. @throws TransfusionError CHECKPOINT_FOREIGN, DATA_NO_EXAMPLES; OutOfMemoryError; what `signal` was aborted with */
export async function openTransfusionSession(options: TransfusionSessionOptions): Promise<TransfusionSession> {
  const { task, backend, resume, ...parts } = options;
  const { config, pipeline, tokenizer, batch, texts, phases, optimisation } = task;
  const codec = openCodec({ ...task.codec, backend });
  try {
    const latents = options.latents ?? (await encodeVariants(codec, task.examples, config.data.flip, parts));
    const { latent } = imageLayout(pipeline);
    const withLatents = task.examples.map((example, i) => {
      return { ...example, ...patchifyVariants(latents[i], latent, config.patchSize) };
    });
    const examples = splitExamples(config, withLatents);
    const source = createBatchSource({
      ...{ config, shape: batch, examples: examples.train, texts: texts.train },
      patchValues: pipeline.model.patchValues,
      special: tokenizer.special,
      objective: createObjective(objectiveOptions(pipeline)),
    });
    const opened = await openState(backend, task, resume);
    const state = opened.state as TrainState<TransfusionParameters<Variable>>;
    return {
      ...opened,
      ...{ backend, state, config, pipeline, batch, examples, texts, tokenizer, codec, source, phases, optimisation },
      objective: phases[0].objective,
      batches: (step) => source.step(step),
      termsOf,
      perStep: { tokens: batch.rows * batch.sequenceLength * config.batch.accumulation },
      modelFiles: () => modelFiles(task, state),
      dispose() {
        opened.dispose();
        codec.dispose();
      },
    };
  } catch (error) {
    codec.dispose();
    throw error;
  }
}

/** A step of plain texts says nothing of images. */
function termsOf({ language, diffusion }: Record<string, number>, batches: readonly BatchArrays[]) {
  const hasImages = batches.some(({ imageMask }) => (imageMask as Float32Array).some((used) => used > 0));
  return { language, ...(hasImages ? { diffusion } : {}) };
}

async function modelFiles(
  { pipeline, tokenizer, codec: { config, weights } }: TransfusionTask,
  { ema }: TrainState,
): Promise<ModelFiles> {
  const tensors = new Map<string, NamedTensor>();
  for (const [name, variable] of flattenTree<Variable>(ema, isVariable)) {
    tensors.set(name, { shape: [...variable.shape], data: await variable.read() });
  }
  const files = { config: pipeline, tensors, tokenizer: tokenizer.toJson() };
  if (config.kind === 'pixels') return files;
  const stored = new Map<string, NamedTensor>();
  for (const [name, { shape, data }] of weights) stored.set(name, { shape: [...shape], data });
  return { ...files, vae: { config: config.autoencoder, tensors: stored } };
}
