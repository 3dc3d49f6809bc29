/** @file Many captions at once, one for each image. */
import { describingPrefix, describingPrefixLength } from '@transfusion/data';
import { z } from 'zod';
import { greedyToken } from './choose-token.js';
import { parseOptions } from './parse-options.js';
import { allowedLogits, checkContext, chunks, encodeImages, type Pipeline } from './pipeline.js';

export interface CaptionImagesOptions {
  /** [size, size, 3] in [-1, 1] each. */
  images: readonly Float32Array[];
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
  const latents = await encodeImages(pipeline, images);
  const { patches } = pipeline.layout;
  // And a first token.
  checkContext(pipeline, 'an image and its caption', describingPrefixLength(patches) + 1);
  const captions: string[] = [];
  const batches = chunks(latents.length, options.maxBatch);
  for (const { begin, end } of batches) {
    const batch = latents.slice(begin, end);
    captions.push(...(await captionBatch(pipeline, batch, { ...options, size: batches[0].end, signal })));
    onProgress?.({ captioned: end, images: latents.length });
  }
  return captions;
}

async function captionBatch(
  pipeline: Pipeline,
  latents: Float32Array[],
  options: { size: number; maxTokens: number; signal?: AbortSignal },
): Promise<string[]> {
  const { size, signal } = options;
  const { special } = pipeline.tokenizer;
  const { before, after } = describingPrefix(special);
  const context = describingPrefixLength(pipeline.layout.patches);
  const capacity = Math.min(pipeline.config.model.maxPositions, context + options.maxTokens);
  const maxTokens = capacity - context;
  const captions = latents.map((): number[] => []);
  const batch = pipeline.pool.take({ rows: size, capacity });
  try {
    signal?.throwIfAborted();
    await batch.appendTokens(new Map(latents.map((_, row) => [row, before])));
    await batch.appendImages(new Map(latents.map((image, row) => [row, image])));
    let next = new Map(latents.map((_, row) => [row, after]));
    while (next.size > 0) {
      signal?.throwIfAborted();
      const logits = await batch.appendTokens(next);
      next = new Map();
      for (const [row, rowLogits] of logits) {
        const id = greedyToken(allowedLogits(pipeline, rowLogits, { boi: false }));
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
