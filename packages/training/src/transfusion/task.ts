/** @file The model's training: its data and objective, and then its state and steps on a backend. */
import { parseConfig, TransfusionError } from '@transfusion/core';
import {
  type CaptionedImage,
  type ImageGrid,
  patchCount,
  type SourceDocument,
  splitDataset,
  type TextDocument,
} from '@transfusion/data';
import { objectiveOptions, type PipelineConfig, pipelineConfigSchema } from '@transfusion/sampler';
import { createObjective, type Objective as DiffusionObjective } from '@transfusion/schedulers';
import { type Backend, flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import type { Tokenizer } from '@transfusion/tokenizer';
import type { TransfusionParameters } from '@transfusion/transformer';
import {
  type CodecConfig,
  type ImageCodec,
  type LatentDistribution,
  type LatentShape,
  latentShapeOf,
  openCodec,
  type StoredCodec,
} from '@transfusion/vae';
import type { InPartsOptions } from '../in-parts.js';
import { encodeVariants } from '../latents/picture-latents.js';
import {
  type ModelFiles,
  type NamedTensor,
  openState,
  type ResumePoint,
  type TrainingSession,
  type TrainingTask,
} from '../session.js';
import type { TrainState } from '../train-state.js';
import { batchShape, type DocumentSize, documentSize, exampleSize } from './batch-shape.js';
import { type BatchArrays, type BatchSource, createBatchSource } from './batches.js';
import { fitCaptions } from './caption-lengths.js';
import type { TransfusionTrainingConfig } from './config.js';
import {
  type DocumentExample,
  type Example,
  encodeDocument,
  type Split,
  type TextExample,
  type TrainingDocument,
  type TrainingExample,
} from './examples.js';
import { modelConfigOf } from './model-config.js';
import { type TransfusionObjectiveOptions, transfusionObjective } from './objective.js';
import { splitTextExamples } from './split-texts.js';
import { type TextLayout, type TextRow, textRows } from './text-rows.js';

export interface TransfusionTaskOptions {
  config: TransfusionTrainingConfig;
  /** Pictures with captions, of any sizes; default: none. */
  images?: readonly CaptionedImage[];
  /** Other documents: texts and images in any order; default: none. */
  documents?: readonly SourceDocument[];
  /** Plain texts; default: none. */
  texts?: readonly TextDocument[];
  /** Side of the images that the model draws where nothing else is asked for, in pixels; default: width of the first picture. */
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
  documents: DocumentExample[];
  texts: Split<TextRow>;
  tokenizer: Tokenizer;
  codec: StoredCodec;
  pipeline: PipelineConfig;
  /** What the objective is made of. */
  sizes: TransfusionObjectiveOptions;
}

export interface TransfusionSession extends TrainingSession {
  state: TrainState<TransfusionParameters<Variable>>;
  config: TransfusionTrainingConfig;
  pipeline: PipelineConfig;
  sizes: TransfusionObjectiveOptions;
  source: BatchSource;
  /** What it predicts of a noised image. */
  diffusionObjective: DiffusionObjective;
  examples: Split<TrainingExample>;
  documents: Split<TrainingDocument>;
  /** Plain texts, as rows of a batch. */
  texts: Split<TextRow>;
  tokenizer: Tokenizer;
  codec: ImageCodec;
}

export const PIXELS: StoredCodec = { config: { kind: 'pixels' }, weights: new Map(), where: 'pixels' };

/** @throws TransfusionError CONFIG_*, DATA_*, CODEC_*: parts of the configuration do not go together */
export function transfusionTask(options: TransfusionTaskOptions): TransfusionTask {
  const { config, images = [], texts = [], tokenizer, codec = PIXELS, log } = options;
  const { patchSize, lambda, checkpointActivations, precision, seed } = config;
  const documents = (options.documents ?? []).map((document) => encodeDocument(document, tokenizer));
  const imageSize = options.imageSize ?? widthOf(images, documents);
  const gridOf = (size: ImageGrid) => latentGrid(size, patchSize, codec.config);
  const { channels } = gridOf({ height: imageSize, width: imageSize });
  const encoded = images.map((image) => ({ ...image, captionIds: tokenizer.encode(image.caption ?? '') }));
  const mostPatches = encoded.reduce((most, image) => Math.max(most, patchCount(gridOf(image), patchSize)), 0);
  const examples = fitCaptions(config, encoded, mostPatches, log);
  const lengths = [
    ...examples.map((example) => exampleSize(example, gridOf(example), patchSize)),
    ...documents.map((document) => checkedSize(document, documentSize(document, gridOf, patchSize), config)),
  ];
  const batch = batchShape(config, lengths);
  const { sequenceLength } = batch;
  const implied = { vocabularySize: tokenizer.vocabularySize, patchValues: patchSize ** 2 * channels, sequenceLength };
  const model = modelConfigOf(config, implied);
  const parts = {
    format: 'transfusion',
    version: 2,
    model,
    image: { size: imageSize, channels: 3 },
    codec: codec.config,
    diffusion: { ...config.diffusion, clampSample: clampOf(config, codec.config) },
    sampling: config.sampling,
    trainedOn: {
      pictures: lengths.some(({ grids }) => grids.length > 0),
      captions: documents.length > 0 || examples.some(({ caption }) => caption !== undefined),
      texts: texts.length > 0,
    },
  };
  const pipeline = parseConfig(pipelineConfigSchema, parts, 'configuration');
  checkNoiseCaps(documents, pipeline);
  const sizes = { model, batch, lambda, checkpointActivations };
  const textExamples = texts.map((each) => ({ ...each, ids: tokenizer.encode(each.text) }));
  return {
    ...{ config, examples, documents, tokenizer, codec, pipeline, sizes, seed },
    texts: splitTexts(config, textExamples, {
      sequenceLength,
      maxPositions: model.maxPositions,
      special: tokenizer.special,
    }),
    phases: [{ from: 0, objective: transfusionObjective(sizes) }],
    optimisation: { ...config, accumulation: config.batch.accumulation, precision },
  };
}

function widthOf(images: readonly CaptionedImage[], documents: readonly DocumentExample[]): number {
  const first = images[0] ?? documents.flatMap(({ parts }) => parts).find(({ kind }) => kind === 'image');
  if (first && 'width' in first) return first.width;
  throw new TransfusionError({
    code: 'DATA_NO_EXAMPLES',
    message: 'there is no picture, and no size of an image is given',
    fix: 'give the size that the model would draw, as imageSize',
  });
}

/** A document is neither cut nor skipped. @throws TransfusionError DATA_DOCUMENT_TOO_LONG */
function checkedSize({ name }: DocumentExample, size: DocumentSize, config: TransfusionTrainingConfig): DocumentSize {
  const most = Math.min(config.batch.sequenceLength ?? Infinity, config.model.maxPositions ?? Infinity);
  if (size.length <= most) return size;
  throw new TransfusionError({
    code: 'DATA_DOCUMENT_TOO_LONG',
    message: `${name} takes ${size.length} positions, batch.sequenceLength or model.maxPositions allows ${most}`,
    fix: `raise it to at least ${size.length}, or split the document; larger patches make shorter documents`,
  });
}

/** Before the first step, not at the one that draws the document. @throws TransfusionError DATA_TIMESTEP_CAP */
function checkNoiseCaps(documents: readonly DocumentExample[], pipeline: PipelineConfig): void {
  const { trainTimesteps } = createObjective(objectiveOptions(pipeline)).noiseSchedule.config;
  for (const { name, parts } of documents) {
    for (const part of parts) {
      if (part.kind === 'text' || part.noiseCap === undefined) continue;
      if (part.noiseCap >= 1 && part.noiseCap <= trainTimesteps) continue;
      throw new TransfusionError({
        code: 'DATA_TIMESTEP_CAP',
        message: `${name} has an image whose noiseCap is ${part.noiseCap}, expected 1 to ${trainTimesteps} (the schedule's timesteps)`,
        fix: 'leave it out where all noise is wanted',
      });
    }
  }
}

/** Pixels are in [-1, 1]; scaled latents have deviation 1 and no bounds. */
function clampOf({ diffusion: { clampSample } }: TransfusionTrainingConfig, { kind }: CodecConfig): number | null {
  if (clampSample !== undefined) return clampSample;
  return kind === 'pixels' ? 1.5 : 4;
}

/** The latents of an image of so many pixels, which must divide into patches. @throws TransfusionError CODEC_IMAGE_SIZE, CONFIG_PATCH_SIZE */
export function latentGrid({ height, width }: ImageGrid, patchSize: number, codec: CodecConfig): LatentShape {
  const latent = latentShapeOf(codec, { height, width });
  if (latent.height % patchSize === 0 && latent.width % patchSize === 0) return latent;
  const size = `${latent.height} x ${latent.width}`;
  throw new TransfusionError({
    code: 'CONFIG_PATCH_SIZE',
    message: `patchSize: an image of ${height} x ${width} has latents of ${size} (codec: ${codec.kind}), and ${size} does not divide into patches of ${patchSize} x ${patchSize}`,
    fix: 'choose a patch size that divides the latents',
  });
}

/** Training and held-out examples. */
export function splitExamples<One extends Pick<Example, 'group' | 'split'>>(
  { data }: TransfusionTrainingConfig,
  examples: readonly One[],
) {
  return splitDataset({ images: examples, fraction: data.heldOutFraction, by: data.heldOutBy ?? 'list' });
}

/** Pictures and documents by one split: those of one group stay together. */
function splitTogether(
  config: TransfusionTrainingConfig,
  examples: readonly TrainingExample[],
  documents: readonly TrainingDocument[],
): { examples: Split<TrainingExample>; documents: Split<TrainingDocument> } {
  const held = new Set<unknown>(splitExamples(config, [...examples, ...documents]).heldOut);
  const split = <One>(all: readonly One[]) => ({
    train: all.filter((one) => !held.has(one)),
    heldOut: all.filter((one) => held.has(one)),
  });
  return { examples: split(examples), documents: split(documents) };
}

/** Rows of training and of held-out texts. */
function splitTexts(
  { data }: TransfusionTrainingConfig,
  texts: readonly TextExample[],
  layout: TextLayout,
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

/** Puts a task on a backend. @throws TransfusionError CHECKPOINT_FOREIGN, DATA_NO_EXAMPLES, LATENTS_FOREIGN; OutOfMemoryError; what `signal` was aborted with */
export async function openTransfusionSession(options: TransfusionSessionOptions): Promise<TransfusionSession> {
  const { task, backend, resume, ...parts } = options;
  const { config, pipeline, sizes, tokenizer, texts, phases, optimisation } = task;
  const codec = openCodec({ ...task.codec, backend });
  try {
    const { examples, documents } = splitTogether(
      config,
      await withLatents(task, codec, parts),
      await documentsWithLatents(task, codec, parts),
    );
    const diffusionObjective = createObjective(objectiveOptions(pipeline));
    const source = createBatchSource({
      ...{ config, model: sizes.model, shape: sizes.batch, special: tokenizer.special },
      ...{ examples: examples.train, documents: documents.train, texts: texts.train },
      objective: diffusionObjective,
    });
    const opened = await openState(backend, task, resume);
    const state = opened.state as TrainState<TransfusionParameters<Variable>>;
    return {
      ...opened,
      ...{
        backend,
        state,
        config,
        pipeline,
        sizes,
        examples,
        documents,
        texts,
        tokenizer,
        codec,
        source,
        diffusionObjective,
      },
      ...{ phases, optimisation },
      batches: (step) => source.step(step),
      termsOf,
      perStep: { tokens: sizes.batch.rows * sizes.batch.sequenceLength * config.batch.accumulation },
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

async function withLatents(
  { examples, config, codec: { config: codecConfig } }: TransfusionTask,
  codec: ImageCodec,
  { latents, ...parts }: Omit<TransfusionSessionOptions, 'task' | 'backend' | 'resume'>,
): Promise<TrainingExample[]> {
  if (latents && latents.length !== examples.length) {
    throw new TransfusionError({
      code: 'LATENTS_FOREIGN',
      message: `latents of ${latents.length} pictures were given, and the task has ${examples.length} examples`,
      fix: "give those of the task's examples, in their order: some pictures may have been left out for their captions",
    });
  }
  const variants = latents ?? (await encodeVariants(codec, examples, config.data.flip, parts));
  return examples.map((example, i) => {
    return { ...example, grid: latentGrid(example, config.patchSize, codecConfig), variants: variants[i] };
  });
}

/** Documents are never mirrored: their texts may tell left from right. */
async function documentsWithLatents(
  { documents, config, codec: { config: codecConfig } }: TransfusionTask,
  codec: ImageCodec,
  { signal }: InPartsOptions,
): Promise<TrainingDocument[]> {
  const images = documents.flatMap(({ parts }) => parts.filter((part) => part.kind === 'image'));
  const variants = await encodeVariants(codec, images, false, { signal });
  let next = 0;
  return documents.map((document) => ({
    ...document,
    parts: document.parts.map((part) => {
      if (part.kind === 'text') return part;
      return { ...part, grid: latentGrid(part, config.patchSize, codecConfig), variants: variants[next++] };
    }),
  }));
}

/** A step of plain texts says nothing of images. */
function termsOf({ language, diffusion }: Record<string, number>, batches: readonly unknown[]) {
  const hasImages = (batches as BatchArrays[]).some(({ groups }) =>
    groups.some(({ mask }) => mask.some((used: number) => used > 0)),
  );
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
