/** @file Many images at once, one for each caption. */
import { drawingPrefix } from '@transfusion/data';
import { z } from 'zod';
import { type DenoisedStep, denoiseAll } from './denoise.js';
import { type ImageSampling, type ImageSamplingOptions, resolveImageSampling } from './image-sampling.js';
import { parseOptions } from './parse-options.js';
import { checkContext, chunks, decodeImages, type Pipeline } from './pipeline.js';

export interface DrawImagesOptions extends ImageSamplingOptions {
  /** Captions; an empty one draws any image. */
  prompts: readonly string[];
  /** A whole number from 0; default 0. Image i depends on the seed, on i and on prompt i. */
  seed?: number;
  /** Most prompts in one batch (guidance doubles its rows); default 16. */
  maxBatch?: number;
  signal?: AbortSignal;
  /** Called after every denoising step of every batch, and waited for. */
  onStep?: (progress: DrawingProgress) => unknown;
}

export interface DrawingProgress {
  /** Steps taken, of all batches, from 1. */
  step: number;
  steps: number;
  /** Which of the prompts the batch begins with. */
  first: number;
  /**
   * The present estimates of the batch's images, [size, size, 3] in [-1, 1] each. Read from the device and decoded when
   * called, which is to be before `onStep` has returned.
   */
  previews(): Promise<Float32Array[]>;
}

const optionsSchema = z.object({
  prompts: z.array(z.string()),
  seed: z.int().min(0).default(0),
  maxBatch: z.int().min(1).default(16),
});

/** See `Sampler.drawImages`. */
export async function drawImages(pipeline: Pipeline, given: DrawImagesOptions): Promise<Float32Array[]> {
  const { prompts, seed, maxBatch, signal, onStep, ...imageOptions } = given;
  const options = parseOptions('drawImages', optionsSchema, { prompts, seed, maxBatch });
  const image = resolveImageSampling(pipeline.config, imageOptions);
  const contexts = options.prompts.map((prompt) => captionContext(pipeline, prompt));
  const batches = chunks(contexts.length, options.maxBatch);
  const steps = batches.length * image.plan.steps;
  let step = 0;
  const images: Float32Array[] = [];
  for (const { begin, end } of batches) {
    const latents = await drawBatch(pipeline, image, {
      contexts: contexts.slice(begin, end),
      // All batches have the size of the first, so that they are served by the same compiled functions.
      size: batches[0].end,
      firstIndex: begin,
      seed: options.seed,
      signal,
      onStep: ({ estimates }) => {
        const previews = async () => decodeImages(pipeline, await estimates());
        return onStep?.({ step: ++step, steps, first: begin, previews });
      },
    });
    images.push(...(await decodeImages(pipeline, latents)));
  }
  return images;
}

/** BOS caption BOI. @throws TransfusionError SAMPLER_CONTEXT */
function captionContext(pipeline: Pipeline, prompt: string): number[] {
  const { special } = pipeline.tokenizer;
  const tokens = drawingPrefix(pipeline.tokenizer.encode(prompt), special);
  const shown = prompt.length > 40 ? `${prompt.slice(0, 37)}...` : prompt;
  checkContext(pipeline, `the prompt ${JSON.stringify(shown)} with its image`, tokens.length + pipeline.layout.patches);
  return tokens;
}

interface Batch {
  contexts: number[][];
  size: number;
  firstIndex: number;
  seed: number;
  signal?: AbortSignal;
  onStep: (step: DenoisedStep) => unknown;
}

async function drawBatch(pipeline: Pipeline, image: ImageSampling, options: Batch): Promise<Float32Array[]> {
  const { contexts, size, firstIndex, seed, signal, onStep } = options;
  const { bos, boi } = pipeline.tokenizer.special;
  const guided = image.guidance !== 1;
  const longest = Math.max(...contexts.map((tokens) => tokens.length));
  const sizes = { rows: guided ? 2 * size : size, capacity: longest + pipeline.layout.patches };
  const batch = pipeline.pool.take(sizes);
  try {
    signal?.throwIfAborted();
    const rows = new Map(contexts.map((tokens, i) => [i, tokens]));
    if (guided) contexts.forEach((_, i) => rows.set(size + i, [bos, boi]));
    await batch.appendTokens(rows);
    const noiseIndices = contexts.map((_, i) => firstIndex + i);
    return await denoiseAll({ ...image, batch, layout: pipeline.layout, seed, signal, noiseIndices }, onStep);
  } finally {
    pipeline.pool.give(batch);
  }
}
