/** @file The training of such a network: what it consists of, and then its state and steps on a backend. */
import { parseConfig, TransfusionError } from '@transfusion/core';
import type { CaptionedImage } from '@transfusion/data';
import { parameterTensors } from '@transfusion/sampler';
import type { Backend } from '@transfusion/tensor';
import type { Tokenizer } from '@transfusion/tokenizer';
import {
  type BatchArrays,
  type Objective,
  openState,
  type ResumePoint,
  type TrainingSession,
  type TrainingTask,
} from '@transfusion/training';
import { classifierBatches, dualEncoderBatches } from './batches.js';
import { type EncoderConfig, encoderConfigSchema } from './config.js';
import { classifierObjective, dualEncoderObjective } from './objectives.js';
import { type ImageEncoder, openImageEncoder } from './open-encoder.js';
import type { EvaluatorTrainingConfig } from './training-config.js';

/** A data set with more captions than this has descriptions, not classes. */
const MOST_CLASSES = 1000;

export interface EvaluatorImages {
  train: CaptionedImage[];
  heldOut: CaptionedImage[];
}

export interface EvaluatorTask extends TrainingTask {
  config: EvaluatorTrainingConfig;
  encoder: EncoderConfig;
  images: EvaluatorImages;
  /** Of a dual encoder. */
  tokenizer?: Tokenizer;
}

export interface EvaluatorTaskOptions {
  config: EvaluatorTrainingConfig;
  /** Square pictures of one size, all with captions. */
  images: EvaluatorImages;
  /** Of a dual encoder: of its texts. */
  tokenizer?: Tokenizer;
  /** That of the run that is resumed; default: as configuration and pictures say. */
  encoder?: EncoderConfig;
}

export interface EvaluatorSession extends TrainingSession {
  config: EvaluatorTrainingConfig;
  encoder: EncoderConfig;
  images: EvaluatorImages;
  /** The network with the averaged weights. Dispose of it after use. */
  openEncoder(): Promise<ImageEncoder>;
}

/**
 * What a run consists of, apart from a device.
 * @throws TransfusionError CONFIG_INVALID; DATA_NO_EXAMPLES, DATA_NO_CAPTION, DATA_IMAGE_SIZE, DATA_CLASSES
 */
export function evaluatorTask({ config, images, tokenizer, encoder: given }: EvaluatorTaskOptions): EvaluatorTask {
  checkImages([...images.train, ...images.heldOut]);
  const encoder = given ?? encoderConfigOf(config, images, tokenizer);
  if (encoder.model_type === 'image-classifier') checkClasses(encoder.classes, images);
  const { batchSize, seed } = config;
  const objective =
    encoder.model_type === 'dual-encoder'
      ? dualEncoderObjective(encoder, batchSize)
      : classifierObjective(encoder, batchSize);
  const phases = [{ from: 0, objective: objective as Objective }];
  return { config, encoder, images, tokenizer, phases, seed, optimisation: config };
}

/** Puts a task on a backend. @throws TransfusionError CHECKPOINT_FOREIGN; OutOfMemoryError */
export async function openEvaluatorSession(options: {
  task: EvaluatorTask;
  backend: Backend;
  resume?: ResumePoint;
}): Promise<EvaluatorSession> {
  const { task, backend, resume } = options;
  const { config, encoder, images, tokenizer, phases, optimisation } = task;
  const batchAt = batchesOf(task);
  const opened = await openState(backend, task, resume);
  const averaged = () => parameterTensors(opened.state.ema);
  return {
    ...{ ...opened, backend, config, encoder, images, phases, optimisation },
    batches: (step) => [batchAt(step)],
    termsOf: (terms) => terms,
    perStep: { images: config.batchSize },
    async modelFiles() {
      const files = { config: encoder, tensors: await averaged() };
      return tokenizer ? { ...files, tokenizer: tokenizer.toJson() } : files;
    },
    openEncoder: async () =>
      openImageEncoder({ backend, encoder: { config: encoder, tensors: await averaged(), tokenizer } }),
  };
}

function batchesOf({ config, encoder, images, tokenizer }: EvaluatorTask): (step: number) => BatchArrays {
  const given = { config, images: images.train };
  return encoder.model_type === 'dual-encoder'
    ? dualEncoderBatches({ ...given, encoder, tokenizer: tokenizer! })
    : classifierBatches({ ...given, encoder });
}

/** The network's `config.json`: what was chosen, and what follows from the data. */
function encoderConfigOf(
  { network }: EvaluatorTrainingConfig,
  images: EvaluatorImages,
  tokenizer?: Tokenizer,
): EncoderConfig {
  const image = { imageSize: images.train[0]?.width, ...network.image };
  const value =
    network.kind === 'dual-encoder'
      ? {
          ...{ model_type: network.kind, image, embedding: network.embedding },
          text: { ...network.text, vocabularySize: tokenizer?.vocabularySize },
        }
      : { model_type: network.kind, image, classes: classesOf(images.train) };
  return parseConfig(encoderConfigSchema, value, 'network');
}

function classesOf(images: readonly CaptionedImage[]): string[] {
  const classes = [...new Set(images.map(({ caption }) => caption!))].sort();
  if (classes.length >= 2 && classes.length <= MOST_CLASSES) return classes;
  throw new TransfusionError({
    code: 'DATA_CLASSES',
    message: `the pictures have ${classes.length} distinct captions, and each is a class of an image-classifier: expected 2 to ${MOST_CLASSES}`,
    fix: "give pictures whose captions are classes, as fashion-mnist has them, or choose network.kind: 'dual-encoder'",
  });
}

function checkClasses(classes: readonly string[], { train, heldOut }: EvaluatorImages): void {
  const known = new Set(classes);
  const foreign = [...train, ...heldOut].find(({ caption }) => !known.has(caption!));
  if (!foreign) return;
  throw new TransfusionError({
    code: 'DATA_CLASSES',
    message: `${foreign.name} is of the class ${JSON.stringify(foreign.caption)}, and no picture to train on is`,
    fix: 'a picture of each class must be among those that are trained on: hold out fewer, or leave the class out',
  });
}

function checkImages(images: readonly CaptionedImage[]): void {
  if (images.length === 0) {
    throw new TransfusionError({ code: 'DATA_NO_EXAMPLES', message: 'there is no picture to train on' });
  }
  const silent = images.find(({ caption }) => caption === undefined);
  if (silent) {
    throw new TransfusionError({
      code: 'DATA_NO_CAPTION',
      message: `${silent.name} has no caption, and pictures are learned with theirs`,
      fix: 'give each a caption, or leave it out',
    });
  }
  const { width } = images[0];
  const other = images.find((image) => image.width !== width || image.height !== width);
  if (!other) return;
  throw new TransfusionError({
    code: 'DATA_IMAGE_SIZE',
    message: `such a network is trained on squares of one size: ${images[0].name} is ${width} wide, ${other.name} is ${other.width} x ${other.height}`,
    fix: 'load them with one size',
  });
}
