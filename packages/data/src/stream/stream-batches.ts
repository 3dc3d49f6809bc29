/** @file Batches of a stream for training of one's own: the same ones however many processes share them, and from any place on. */
import { TransfusionError } from '@transfusion/core';
import type { ImageStream, StreamedImage } from './image-stream.js';

/** How far a stream is: all that a checkpoint needs. Pictures that were read ahead do not count. */
export interface StreamState {
  epoch: number;
  /** Samples of the epoch that were given out, over all ranks. */
  yielded: number;
}

export interface StreamedPicture extends StreamedImage {
  /** Its number among the stream's images. */
  number: number;
  /** [height, width, 3], from 0 to 255. */
  pixels: Uint8Array;
}

export interface StreamBatch {
  /** This rank's share, without those that are broken. */
  pictures: StreamedPicture[];
  /** After this batch. */
  state: StreamState;
}

export interface StreamBatchesOptions {
  seed: number;
  /** Of all ranks together; a multiple of `ranks`. */
  batchSize: number;
  /** Default: all. Numbers of the stream's images. */
  images?: readonly number[];
  /** Which process of how many; default 0 of 1. All ranks have as many batches, and together the same ones whatever `ranks` is. */
  rank?: number;
  ranks?: number;
  /** Default: the beginning. Nothing before it is read. */
  start?: StreamState;
  /** Batches that are read before they are asked for; default 2. */
  ahead?: number;
}

/**
 * Endless batches: every image once an epoch, and an epoch's end may fall inside a batch.
 * @throws TransfusionError DATA_STREAM_OPTIONS; what `ImageStream.read` throws
 */
export async function* streamBatches(
  stream: ImageStream,
  options: StreamBatchesOptions,
): AsyncGenerator<StreamBatch, never> {
  const { seed, batchSize, rank = 0, ranks = 1, start = { epoch: 0, yielded: 0 }, ahead = 2 } = options;
  const images = options.images ?? stream.images.map((_, i) => i);
  const count = images.length;
  const problem = !(Number.isInteger(batchSize / ranks) && batchSize > 0 && ranks > 0)
    ? `batchSize is ${batchSize}, expected a positive multiple of ranks, which is ${ranks}`
    : !(Number.isInteger(rank) && rank >= 0 && rank < ranks)
      ? `rank is ${rank}, expected 0 to ${ranks - 1}`
      : !(Number.isInteger(start.epoch) && start.epoch >= 0 && Number.isInteger(start.yielded) && start.yielded >= 0)
        ? `start is ${JSON.stringify(start)}, expected whole numbers from 0`
        : undefined;
  if (problem !== undefined)
    throw new TransfusionError({ code: 'DATA_STREAM_OPTIONS', message: `streamBatches: ${problem}` });
  const walk = stream.walk(seed, images);
  const own = batchSize / ranks;
  const shareAt = (position: number) =>
    Array.from({ length: own }, (_, i) => images[walk.at(position + rank * own + i)]);
  for (let position = start.epoch * count + start.yielded; ; position += batchSize) {
    const numbers = shareAt(position);
    const reading = stream.read(numbers);
    for (let next = 1; next <= ahead; next++) stream.prefetch(shareAt(position + next * batchSize));
    stream.readAhead(walk, position);
    const read = await reading;
    const pictures = read.flatMap((pixels, i) => {
      return pixels ? [{ ...stream.images[numbers[i]], number: numbers[i], pixels }] : [];
    });
    const done = position + batchSize;
    yield { pictures, state: { epoch: Math.floor(done / count), yielded: done % count } };
  }
}
