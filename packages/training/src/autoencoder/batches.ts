/** @file The images of a micro-batch: a pure function of the configuration and its number, so that resuming needs the step only. */
import { TransfusionError } from '@transfusion/core';
import { type CaptionedImage, epochWalk, flipHorizontally, imageOf, RandomPurpose } from '@transfusion/data';
import { PhiloxStream } from '@transfusion/tensor';

export interface ImageBatchOptions {
  /** All of one size. */
  images: readonly CaptionedImage[];
  batchSize: number;
  seed: number;
  /** Mirror half of them. */
  flip: boolean;
}

/**
 * The function from a micro-batch to its images, [batch, height, width, 3] in [-1, 1]. They walk through the images epoch by epoch,
 * each epoch in its own order.
 */
export function imageBatches({ images, batchSize, seed, flip }: ImageBatchOptions): (step: number) => Float32Array {
  const count = images.length;
  if (count === 0) {
    throw new TransfusionError({
      code: 'DATA_NO_EXAMPLES',
      message: 'there is no picture to train on',
      fix: 'use a larger data set, or hold out a smaller part of it',
    });
  }
  const imageLength = images[0].pixels.length;
  const imageAt = epochWalk({ seed, examples: count });
  return (step) => {
    const stream = new PhiloxStream(seed, RandomPurpose.flip, step);
    const batch = new Float32Array(batchSize * imageLength);
    for (let i = 0; i < batchSize; i++) {
      const { data, width } = imageOf(images[imageAt(step * batchSize + i)]);
      const isFlipped = stream.uniform() < 0.5 && flip;
      batch.set(isFlipped ? flipHorizontally({ data, width, channels: 3 }) : data, i * imageLength);
    }
    return batch;
  };
}
