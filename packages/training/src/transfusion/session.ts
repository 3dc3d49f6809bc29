/** @file The model's training on a backend: state, compiled steps, latents, batches. */
import { TransfusionError } from '@transfusion/core';
import type { Communicator } from '@transfusion/distributed';
import type { PipelineConfig } from '@transfusion/sampler';
import { objectiveOptions } from '@transfusion/sampler';
import { createObjective, type Objective as DiffusionObjective } from '@transfusion/schedulers';
import { type Backend, flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import type { Tokenizer } from '@transfusion/tokenizer';
import type { ModelVariables, TransfusionParameters } from '@transfusion/transformer';
import { type ImageCodec, type LatentDistribution, openCodec } from '@transfusion/vae';
import { codesAsLatents } from '../chameleon/picture-codes.js';
import type { InPartsOptions } from '../in-parts.js';
import { documentPictures, picturesOfTheirOwn } from '../latents/document-pictures.js';
import { encodeVariants, type Picture, type PictureLatents } from '../latents/picture-latents.js';
import { hasViews, pictureViews } from '../latents/picture-views.js';
import type { ModelFiles, NamedTensor } from '../model-files.js';
import { microBatchesOf } from '../ranks/rank-group.js';
import { openState, type ResumePoint, type TrainingSession } from '../session.js';
import type { TrainState } from '../train-state.js';
import { averagedModel, loraFiles } from './base-model.js';
import { type BatchArrays, type BatchSource, type BatchSourceOptions, createBatchSource } from './batches.js';
import type { TransfusionTrainingConfig } from './config.js';
import type { Split, TrainingDocument, TrainingExample } from './examples.js';
import { patchSizeOf } from './model-config.js';
import type { TransfusionObjectiveOptions } from './objective.js';
import { streamedPictures } from './streamed-pictures.js';
import { latentGrid, splitTogether, type TransfusionTask } from './task.js';
import type { TextRow } from './text-rows.js';

export interface TransfusionSession extends TrainingSession {
  /** With `lora`, parameters are those of the adapters, by layer, and the model is among the constants. */
  state: TrainState<TransfusionParameters<Variable>>;
  /** The model with the averaged weights: what is sampled from. */
  averaged: ModelVariables;
  config: TransfusionTrainingConfig;
  pipeline: PipelineConfig;
  sizes: TransfusionObjectiveOptions;
  source: BatchSource;
  /** What it predicts of a noised image. */
  diffusionObjective: DiffusionObjective;
  /** Where pictures are streamed, some of those trained on: to look at. */
  examples: Split<TrainingExample>;
  /** Pictures to train on that are streamed. */
  streamed?: number;
  documents: Split<TrainingDocument>;
  /** Plain texts, as rows of a batch. */
  texts: Split<TextRow>;
  tokenizer: Tokenizer;
  codec: ImageCodec;
}

export interface TransfusionSessionOptions extends InPartsOptions {
  task: TransfusionTask;
  backend: Backend;
  /** Of every example, the latents of its variants (the picture, and its mirror image), scaled; default: encoded now. */
  latents?: readonly (readonly LatentDistribution[])[];
  /** Of each of `documentPictures`, its latents, scaled; default: encoded now. */
  documentLatents?: readonly (readonly LatentDistribution[])[];
  /** Of each of `viewsOfTask`, its latents, scaled; default: encoded now. */
  viewLatents?: readonly (readonly LatentDistribution[])[];
  resume?: ResumePoint;
  /** Of the ranks that share the work: each opens a session of the same task. */
  communicator?: Communicator;
}

/** Puts a task on a backend. @throws TransfusionError CHECKPOINT_FOREIGN, DATA_NO_EXAMPLES, LATENTS_FOREIGN; OutOfMemoryError; what `signal` was aborted with */
export async function openTransfusionSession(options: TransfusionSessionOptions): Promise<TransfusionSession> {
  const { task, backend, resume, ...parts } = options;
  const { communicator } = parts;
  const { config, pipeline, sizes, tokenizer, texts, phases, optimisation } = task;
  const codec = openCodec({ ...task.codec, backend });
  try {
    const withCaptions = await withLatents(task, codec, parts);
    const { examples, documents } = await withViews(
      task,
      codec,
      splitTogether(config, withCaptions, await documentsWithLatents(task, codec, { ...parts, withCaptions })),
      parts,
    );
    const diffusionObjective = createObjective(objectiveOptions(pipeline));
    const source = createBatchSource({
      ...{ config, model: sizes.model, shape: sizes.batch, special: tokenizer.special, sizeTokens: task.sizeTokens },
      ...{ ...trainedOn(task, codec, examples), documents: documents.train, texts: texts.train, codes: sizes.codes },
      objective: diffusionObjective,
    });
    const opened = await openState(backend, task, resume, communicator);
    const part = communicator && microBatchesOf(config.batch.accumulation, communicator);
    const state = opened.state as TrainState<TransfusionParameters<Variable>>;
    return {
      ...opened,
      ...{
        backend,
        state,
        averaged: averagedModel(state, config.lora),
        config,
        pipeline,
        sizes,
        examples,
        streamed: task.streamed?.examples.length,
        documents,
        texts,
        tokenizer,
        codec,
        source,
        diffusionObjective,
      },
      ...{ phases, optimisation },
      batches: (step) => source.read(step, part),
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

/** What batches are made of: the examples or, in their place, those of a stream. */
function trainedOn(
  { config, streamed, codec: { config: codecConfig } }: TransfusionTask,
  codec: ImageCodec,
  { train }: Split<TrainingExample>,
): Pick<BatchSourceOptions, 'examples' | 'exampleAt' | 'streamed'> {
  if (!streamed) return { examples: train };
  const examples = streamed.examples.map((example) => {
    return { ...example, grid: latentGrid(example, patchSizeOf(config), codecConfig) };
  });
  const numbers = streamed.examples.map(({ number }) => number);
  const walk = streamed.stream.walk(config.seed, numbers);
  const pictures = { ...streamed, walk, encoder: encoderOf(config, codec), flip: config.data.flip };
  return { examples, exampleAt: walk.at, streamed: streamedPictures(pictures) };
}

type Latents = Omit<TransfusionSessionOptions, 'task' | 'backend' | 'resume'>;

async function withLatents(
  { examples, config, codec: { config: codecConfig } }: TransfusionTask,
  codec: ImageCodec,
  { latents, ...progress }: Latents,
): Promise<TrainingExample[]> {
  if (latents) checkCount(latents, examples, 'examples');
  if (latents && config.model.images === 'tokens') {
    throw new TransfusionError({
      code: 'LATENTS_FOREIGN',
      message: 'latents are given, and model.images is tokens: the model learns codes',
      fix: 'leave the latents out: codes are computed when the session opens',
    });
  }
  const encoder = encoderOf(config, codec);
  const variants = latents ?? (await encodeVariants(encoder, examples, config.data.flip, progress));
  return examples.map((example, i) => {
    return { ...example, grid: latentGrid(example, patchSizeOf(config), codecConfig), variants: variants[i] };
  });
}

/** What makes latents of pictures, or the codes that stand for them. */
function encoderOf({ model }: TransfusionTrainingConfig, codec: ImageCodec): Pick<ImageCodec, 'encodeDistribution'> {
  return model.images === 'tokens' ? codesAsLatents(codec) : codec;
}

/** Documents are never mirrored: their texts may tell left from right. A picture that several have, or that has a caption, is encoded once. */
async function documentsWithLatents(
  { examples, documents, config, codec: { config: codecConfig } }: TransfusionTask,
  codec: ImageCodec,
  {
    documentLatents,
    withCaptions,
    onProgress,
    signal,
    communicator,
  }: Latents & { withCaptions: readonly TrainingExample[] },
): Promise<TrainingDocument[]> {
  const { pictures, numberOf } = documentPictures(documents);
  if (documentLatents) checkCount(documentLatents, pictures, 'pictures of documents');
  const progress = { onProgress: (done: number) => onProgress?.(examples.length + done), signal, communicator };
  const variants = documentLatents ?? (await encodeAll());
  return documents.map((document) => ({
    ...document,
    parts: document.parts.map((part) => {
      if (part.kind === 'text') return part;
      const grid = latentGrid(part, patchSizeOf(config), codecConfig);
      return { ...part, grid, variants: variants[numberOf(part)!] };
    }),
  }));

  async function encodeAll(): Promise<(readonly LatentDistribution[])[]> {
    const own = picturesOfTheirOwn(documents, withCaptions);
    const encoded = await encodeVariants(encoderOf(config, codec), own, false, progress);
    const all = new Map<number, readonly LatentDistribution[]>(own.map((each, i) => [numberOf(each)!, encoded[i]]));
    const captioned = new Map(withCaptions.map(({ pixels, variants }) => [pixels, variants]));
    return pictures.map((each, i) => all.get(i) ?? captioned.get(each.pixels)!.slice(0, 1));
  }
}

/** Views of the pictures of a task that are trained on and read: before a caption, where it has one, or by a document. */
export function viewsOfTask({
  config,
  ...task
}: Pick<TransfusionTask, 'config' | 'examples' | 'documents' | 'streamed'>) {
  const { views: count, imageFirstProbability } = config.data;
  const { examples, documents } = splitTogether(config, task.examples, task.documents);
  const described = examples.train.filter(({ caption }) => caption !== undefined);
  return pictureViews({
    // What a stream shows is looked at, not trained on.
    examples: imageFirstProbability > 0 && !task.streamed ? described : [],
    documents: documents.train,
    count,
  });
}

/** What is trained on, with latents of its views. */
async function withViews(
  task: TransfusionTask,
  codec: ImageCodec,
  split: { examples: Split<TrainingExample>; documents: Split<TrainingDocument> },
  { viewLatents, onProgress, signal, communicator }: Latents,
): Promise<typeof split> {
  const { pictures, rangeOf } = viewsOfTask(task);
  if (pictures.length === 0) return split;
  if (viewLatents) checkCount(viewLatents, pictures, 'views');
  const encoder = encoderOf(task.config, codec);
  const before = task.examples.length + picturesOfTheirOwn(task.documents, task.examples).length;
  const progress = { onProgress: (done: number) => onProgress?.(before + done), signal, communicator };
  const encoded = viewLatents ?? (await encodeVariants(encoder, pictures, false, progress));
  const viewed = <Read extends PictureLatents & Pick<Picture, 'pixels' | 'width'>>(picture: Read): Read => {
    const range = rangeOf(picture);
    return range ? { ...picture, views: encoded.slice(...range).flat() } : picture;
  };
  const { examples, documents } = split;
  return {
    examples: { ...examples, train: examples.train.map(viewed) },
    documents: {
      ...documents,
      train: documents.train.map((document) => ({
        ...document,
        parts: document.parts.map((part) => (part.kind === 'image' && hasViews(part) ? viewed(part) : part)),
      })),
    },
  };
}

/** @throws TransfusionError LATENTS_FOREIGN */
function checkCount(latents: readonly unknown[], pictures: readonly unknown[], what: string): void {
  if (latents.length === pictures.length) return;
  throw new TransfusionError({
    code: 'LATENTS_FOREIGN',
    message: `latents of ${latents.length} pictures were given, and the task has ${pictures.length} ${what}`,
    fix: "give those of the task's examples, in their order: some pictures may have been left out for their captions",
  });
}

/** A step of plain texts says nothing of images. */
function termsOf({ diffusion, codes, ...others }: Record<string, number>, batches: readonly unknown[]) {
  const hasImages = (batches as BatchArrays[]).some(({ imageCount }) => imageCount[0] > 0);
  if (!hasImages) return others;
  return { ...others, ...(diffusion === undefined ? {} : { diffusion }), ...(codes === undefined ? {} : { codes }) };
}

async function modelFiles(
  { pipeline, tokenizer, codec: { config, weights }, base, sizes: { lora } }: TransfusionTask,
  state: TrainState,
): Promise<ModelFiles> {
  if (lora && base) return loraFiles(state, lora, base);
  const { ema } = state;
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
