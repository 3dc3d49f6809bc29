/** @file What every way of sampling shares: the model's parts, and images and prompts in the model's terms. */
import { TransfusionError } from '@transfusion/core';
import { imageLength } from '@transfusion/data';
import type { Tokenizer } from '@transfusion/tokenizer';
import type { ImageCodec } from '@transfusion/vae';
import type { ImageLayout, PipelineConfig } from './config.js';
import type { SequencePool } from './sequence-pool.js';

export type SamplerTokenizer = Pick<Tokenizer, 'encode' | 'decode' | 'special' | 'vocabularySize'>;

export interface Pipeline {
  config: PipelineConfig;
  layout: ImageLayout;
  tokenizer: SamplerTokenizer;
  codec: ImageCodec;
  pool: SequencePool;
}

/** Images [size, size, 3] in [-1, 1] to latents [height, width, channels]. @throws TransfusionError CODEC_SHAPE */
export async function encodeImages(pipeline: Pipeline, images: readonly Float32Array[]): Promise<Float32Array[]> {
  const { size } = pipeline.layout;
  return pipeline.codec.encode({ height: size, width: size, images });
}

/** The inverse of `encodeImages`, clamped to [-1, 1]. */
export async function decodeImages(pipeline: Pipeline, latents: readonly Float32Array[]): Promise<Float32Array[]> {
  const { size } = pipeline.layout;
  const images = await pipeline.codec.decode({ height: size, width: size, latents });
  return images.map((image) => image.map((value) => Math.min(Math.max(value, -1), 1)));
}

/**
 * The logits with what must not come next at -Infinity: BOS, EOI and padding (EOI is appended, never sampled), ids that
 * the tokenizer does not have, and BOI where no image is wanted.
 */
export function allowedLogits(pipeline: Pipeline, logits: Float32Array, options: { boi: boolean }): Float32Array {
  const { special, vocabularySize } = pipeline.tokenizer;
  const allowed = logits.slice().fill(Number.NEGATIVE_INFINITY, vocabularySize);
  for (const id of [special.bos, special.eoi, special.pad]) allowed[id] = Number.NEGATIVE_INFINITY;
  if (!options.boi) allowed[special.boi] = Number.NEGATIVE_INFINITY;
  return allowed;
}

/** @throws TransfusionError SAMPLER_CONTEXT */
export function checkContext(pipeline: Pipeline, what: string, positions: number): void {
  const { maxPositions } = pipeline.config.model;
  if (positions <= maxPositions) return;
  throw new TransfusionError({
    code: 'SAMPLER_CONTEXT',
    message: `${what} takes ${positions} positions, the model has ${maxPositions}`,
    fix: `shorten it by ${positions - maxPositions} tokens or more (an image takes ${imageLength(pipeline.layout.patches)} positions)`,
  });
}

/** Equal chunks of at most `most` elements: [begin, end) of each. */
export function chunks(count: number, most: number): { begin: number; end: number }[] {
  const size = Math.ceil(count / Math.ceil(count / most));
  return Array.from({ length: count === 0 ? 0 : Math.ceil(count / size) }, (_, i) => {
    return { begin: i * size, end: Math.min(count, (i + 1) * size) };
  });
}
