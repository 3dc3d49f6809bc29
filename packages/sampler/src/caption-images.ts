/** @file Many captions at once, one for each image. */
import { describingPrefix, describingPrefixLength, formatImageSize, type RgbImage } from '@transfusion/data';
import { z } from 'zod';
import { greedyToken } from './choose-token.js';
import type { ImageFormat } from './image-formats.js';
import { parseOptions } from './parse-options.js';
import { allowedLogits, checkContext, checkHasImages, chunks, encodeImages, type Pipeline } from './pipeline.js';

export interface CaptionImagesOptions {
  /** Of sizes that the model was trained on; those of one size make batches. */
  images: readonly RgbImage[];
  /** Most tokens of a caption; default 64. */
  maxTokens?: number;
  /** Most images in one batch; default 16. */
  maxBatch?: number;
  signal?: AbortSignal;
  /** Called after every batch. */
  onProgress?: (progress: { captioned: number; images: number }) => void;
}

const optionsSchema = z.strictObject({
  maxTokens: z.int().min(1).default(64),
  maxBatch: z.int().min(1).default(16),
});

/** See `Sampler.captionImages`. */
export async function captionImages(pipeline: Pipeline, given: CaptionImagesOptions): Promise<string[]> {
  const { images, signal, onProgress, ...rest } = given;
  const options = parseOptions('captionImages', optionsSchema, rest);
  checkHasImages(pipeline);
  const encoded = await encodeImages(pipeline, images);
  const formats = new Set(encoded.map(({ format }) => format));
  for (const format of formats) {
    // And a first token; all but that and BOS is the image's.
    const positions = contextLength(format) + 1;
    const taken = { positions, ofImages: positions - 1 };
    checkContext(pipeline, `an image of ${formatImageSize(format)} and its caption`, taken);
  }
  const captions: string[] = [];
  let captioned = 0;
  for (const format of formats) {
    const indices = encoded.flatMap((image, i) => (image.format === format ? [i] : []));
    const batches = chunks(indices.length, options.maxBatch);
    for (const { begin, end } of batches) {
      const own = indices.slice(begin, end);
      const latents = own.map((i) => encoded[i].latents);
      const written = await captionBatch(pipeline, latents, { ...options, format, size: batches[0].end, signal });
      own.forEach((index, i) => {
        captions[index] = written[i];
      });
      captioned += own.length;
      onProgress?.({ captioned, images: encoded.length });
    }
  }
  return captions;
}

/** Positions of an image and of what stands around it. */
function contextLength({ patches, sizeToken }: ImageFormat): number {
  return describingPrefixLength(patches, sizeToken !== undefined);
}

async function captionBatch(
  pipeline: Pipeline,
  latents: Float32Array[],
  options: { format: ImageFormat; size: number; maxTokens: number; signal?: AbortSignal },
): Promise<string[]> {
  const { format, size, signal } = options;
  const { special } = pipeline.tokenizer;
  const { before, after } = describingPrefix(special, format.sizeToken);
  const context = contextLength(format);
  const capacity = Math.min(pipeline.config.model.maxPositions, context + options.maxTokens);
  const maxTokens = capacity - context;
  const captions = latents.map((): number[] => []);
  const batch = pipeline.pool.take({ rows: size, capacity });
  try {
    signal?.throwIfAborted();
    await batch.appendTokens(new Map(latents.map((_, row) => [row, before])));
    await batch.appendImages(new Map(latents.map((image, row) => [row, image])), format.latent);
    let next = new Map(latents.map((_, row) => [row, after]));
    while (next.size > 0) {
      signal?.throwIfAborted();
      const logits = await batch.appendTokens(next);
      next = new Map();
      for (const [row, rowLogits] of logits) {
        const id = greedyToken(allowedLogits(pipeline, rowLogits, []));
        if (id === special.eos) continue;
        captions[row].push(id);
        if (captions[row].length < maxTokens) next.set(row, [id]);
      }
    }
  } finally {
    pipeline.pool.give(batch);
  }
  return captions.map((ids) => pipeline.tokenizer.decode(ids));
}
