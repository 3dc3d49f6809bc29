/** @file The batches of a step: pure functions of the configuration and the step, so that resuming needs the step only. */
import { TransfusionError } from '@transfusion/core';
import { type CaptionedImage, epochWalk } from '@transfusion/data';
import { PhiloxStream } from '@transfusion/tensor';
import { augmented } from './augment.js';
import { captionsOf, type DescribedImage } from './captions.js';
import type { ClassifierConfig, DualEncoderConfig } from './config.js';
import { RandomPurpose } from './random-purpose.js';
import { packTexts, type TextTokenizer, textIds } from './text-tokens.js';
import type { EvaluatorTrainingConfig } from './training-config.js';

interface BatchOptions {
  config: Pick<EvaluatorTrainingConfig, 'seed' | 'batchSize' | 'data'>;
  /** All with captions, of one size. */
  images: readonly DescribedImage[];
}

/** The function from a step to its batch of a dual encoder. */
export function dualEncoderBatches(
  options: BatchOptions & { encoder: DualEncoderConfig; tokenizer: TextTokenizer },
): (step: number) => ReturnType<typeof packTexts> & { images: Float32Array; alsoTrue: Float32Array } {
  const { config, encoder, tokenizer } = options;
  const { seed, batchSize } = config;
  const { maxTokens } = encoder.text;
  const imagesOf = imageWalk(options);
  const known = new Map<string, number[]>();
  const idsOf = (text: string) => {
    if (!known.has(text)) known.set(text, textIds(tokenizer, text, maxTokens));
    return known.get(text)!;
  };
  return (step) => {
    const { chosen, pixels } = imagesOf(step);
    const stream = new PhiloxStream(seed, RandomPurpose.caption, step);
    const texts = chosen.map((image) => drawnCaption(image, config.data.otherCaptions, stream));
    return {
      images: pixels,
      ...packTexts(texts.map(idsOf), { batch: batchSize, maxTokens }),
      alsoTrue: alsoTrueOf(chosen, texts),
    };
  };
}

/** The function from a step to its batch of a classifier. */
export function classifierBatches(
  options: BatchOptions & { encoder: ClassifierConfig },
): (step: number) => { images: Float32Array; labels: Int32Array } {
  const imagesOf = imageWalk(options);
  const { classes } = options.encoder;
  return (step) => {
    const { chosen, pixels } = imagesOf(step);
    return { images: pixels, labels: Int32Array.from(chosen, ({ caption }) => classes.indexOf(caption!)) };
  };
}

/**
 * Which texts of a batch are true of which other pictures: [batch, batch], 1 where text j is a caption of picture i, and i is not j.
 * They are no examples of what a picture does not show.
 */
export function alsoTrueOf(images: readonly DescribedImage[], texts: readonly string[]): Float32Array {
  const batch = images.length;
  const marks = new Float32Array(batch * batch);
  images.map(captionsOf).forEach((captions, i) => {
    texts.forEach((text, j) => {
      if (i !== j && captions.has(text)) marks[i * batch + j] = 1;
    });
  });
  return marks;
}

/** The pictures of a step, epoch by epoch, and their augmented pixels. */
function imageWalk({ config, images }: BatchOptions) {
  const { seed, batchSize, data } = config;
  if (images.length === 0) {
    throw new TransfusionError({
      code: 'DATA_NO_EXAMPLES',
      message: 'there is no picture to train on',
      fix: 'use a larger data set, or hold out a smaller part of it',
    });
  }
  const imageAt = epochWalk({ seed, examples: images.length });
  const { length } = images[0].pixels;
  return (step: number): { chosen: readonly CaptionedImage[]; pixels: Float32Array } => {
    const chosen = Array.from({ length: batchSize }, (_, i) => images[imageAt(step * batchSize + i)]);
    const stream = new PhiloxStream(seed, RandomPurpose.augmentation, step);
    const pixels = new Float32Array(batchSize * length);
    chosen.forEach((image, i) => pixels.set(augmented(image, data, stream), i * length));
    return { chosen, pixels };
  };
}

/** Two numbers are drawn, whatever comes of them. */
function drawnCaption({ caption, otherCaptions = [] }: DescribedImage, share: number, stream: PhiloxStream): string {
  const isOther = stream.uniform() < share;
  const which = Math.floor(stream.uniform() * otherCaptions.length);
  return isOther && otherCaptions.length > 0 ? otherCaptions[which] : caption!;
}
