/** @file What every way of sampling shares: the model's parts, and images and prompts in the model's terms. */
import { TransfusionError } from '@transfusion/core';
import type { CodeIds, RgbImage } from '@transfusion/data';
import type { Tokenizer } from '@transfusion/tokenizer';
import { hasCodes, type ImageCodec } from '@transfusion/vae';
import type { PipelineConfig } from './config.js';
import type { ImageFormat, ImageFormats } from './image-formats.js';
import type { SequencePool } from './sequence-pool.js';
import type { Sequences } from './sequences.js';
import type { SharedBatch } from './shared-batch.js';

export type SamplerTokenizer = Pick<Tokenizer, 'encode' | 'decode' | 'special' | 'specialTokens' | 'vocabularySize'>;

export interface Pipeline {
  config: PipelineConfig;
  formats: ImageFormats;
  tokenizer: SamplerTokenizer;
  codec: ImageCodec;
  pool: SequencePool;
  /** Where documents that are written at the same time share the model's runs; it is made when the first is. */
  shared?: () => SharedBatch;
  /** Where images are tokens: their ids. Latents are then codes, as numbers. */
  codes?: CodeIds;
}

/** @throws TransfusionError SAMPLER_NO_IMAGES: it is a plain language model */
export function checkHasImages({ config }: Pick<Pipeline, 'config'>): void {
  if (config.model.images !== 'none') return;
  throw new TransfusionError({
    code: 'SAMPLER_NO_IMAGES',
    message: 'this is a plain language model (model.images is none): it neither draws images nor reads them',
    fix: 'give it texts alone, or use a model that was trained on pictures',
  });
}

/** A prompt's image, or one that is described. */
export interface EncodedImage {
  format: ImageFormat;
  /** [height, width, channels]. */
  latents: Float32Array;
}

/** Empty sequences for one document, and what to call when it is written. @throws what `signal` was aborted with */
export async function takeSequences(
  { pool, shared }: Pipeline,
  sizes: { rows: number; capacity: number },
  signal?: AbortSignal,
): Promise<{ sequences: Sequences; give: () => void }> {
  if (shared) {
    const batch = shared();
    const sequences = await batch.take(signal);
    return { sequences, give: () => batch.give(sequences) };
  }
  const sequences = pool.take(sizes);
  return { sequences, give: () => pool.give(sequences) };
}

/** Images to latents, in their order. @throws TransfusionError SAMPLER_IMAGE_SIZE, SAMPLER_NO_IMAGES, CODEC_SHAPE */
export async function encodeImages(pipeline: Pipeline, images: readonly RgbImage[]): Promise<EncodedImage[]> {
  if (images.length > 0) checkHasImages(pipeline);
  const ofEach = images.map((image) => pipeline.formats.trainedSize(image, 'an image'));
  const encoded: EncodedImage[] = [];
  for (const format of new Set(ofEach)) {
    const indices = images.flatMap((_, i) => (ofEach[i] === format ? [i] : []));
    const latents = await encodeAlike(
      pipeline,
      format,
      indices.map((i) => images[i].data),
    );
    indices.forEach((index, i) => {
      encoded[index] = { format, latents: latents[i] };
    });
  }
  return encoded;
}

/** Images of one size; where images are tokens, to their codes. */
async function encodeAlike(
  { codec, codes }: Pipeline,
  { width, height }: ImageFormat,
  images: readonly Float32Array[],
): Promise<Float32Array[]> {
  if (!codes || !hasCodes(codec)) return codec.encode({ height, width, images });
  return (await codec.encodeCodes({ height, width, images })).map((each) => Float32Array.from(each));
}

/** Latents or codes to images of one size, clamped to [-1, 1]. */
export async function decodeImages(
  { codec, codes }: Pipeline,
  { width, height }: ImageFormat,
  latents: readonly Float32Array[],
): Promise<RgbImage[]> {
  const images =
    codes && hasCodes(codec)
      ? await codec.decodeCodes({ height, width, codes: latents.map((each) => Int32Array.from(each)) })
      : await codec.decode({ height, width, latents });
  return images.map((image) => ({ width, height, data: image.map((value) => Math.min(Math.max(value, -1), 1)) }));
}

/**
 * The logits with what must not come next at -Infinity: BOS, EOI and padding (EOI is appended, never sampled), ids that
 * the tokenizer does not have (codes of images are among them), and what opens an image but for those that are wanted.
 *
 * @param images formats of which an image may come next
 */
export function allowedLogits(
  { tokenizer, formats }: Pick<Pipeline, 'tokenizer' | 'formats'>,
  logits: Float32Array,
  images: readonly ImageFormat[],
): Float32Array {
  const { special, vocabularySize } = tokenizer;
  const allowed = logits.slice().fill(Number.NEGATIVE_INFINITY, vocabularySize);
  const openings = new Set(images.map(({ opening }) => opening[0]));
  for (const id of [special.bos, special.eoi, special.pad, special.boi, ...formats.sizeTokens]) {
    if (!openings.has(id)) allowed[id] = Number.NEGATIVE_INFINITY;
  }
  return allowed;
}

/** The logits of what opens an image of one of these formats, all else at -Infinity. */
export function openingLogits(logits: Float32Array, images: readonly ImageFormat[]): Float32Array {
  const allowed = new Float32Array(logits.length).fill(Number.NEGATIVE_INFINITY);
  for (const { opening } of images) allowed[opening[0]] = logits[opening[0]];
  return allowed;
}

/**
 * @param taken positions of all, and those of the images in it
 * @throws TransfusionError SAMPLER_CONTEXT
 */
export function checkContext(
  { config }: Pick<Pipeline, 'config'>,
  what: string,
  { positions, ofImages }: { positions: number; ofImages: number },
): void {
  const { maxPositions } = config.model;
  if (positions <= maxPositions) return;
  throw new TransfusionError({
    code: 'SAMPLER_CONTEXT',
    message: `${what} takes ${positions} positions, the model has ${maxPositions}`,
    // BOS and the images stay, however short the text.
    fix:
      ofImages + 1 > maxPositions
        ? `choose a smaller image size, or fewer images: even with the shortest text they take ${ofImages + 1} positions`
        : `shorten its text by ${positions - maxPositions} tokens or more${ofImages > 0 ? ` (images take ${ofImages} positions)` : ''}`,
  });
}

/** Equal chunks of at most `most` elements: [begin, end) of each. */
export function chunks(count: number, most: number): { begin: number; end: number }[] {
  const size = Math.ceil(count / Math.ceil(count / most));
  return Array.from({ length: count === 0 ? 0 : Math.ceil(count / size) }, (_, i) => {
    return { begin: i * size, end: Math.min(count, (i + 1) * size) };
  });
}
