/**
 * @file Images made from other images, without fine-tuning: noised by some steps and denoised again (SDEdit, arXiv
 * 2108.01073), everywhere or where a mask says (arXiv 2201.09865 without resampling).
 */
import { TransfusionError } from '@transfusion/core';
import { formatImageSize, type ImageSize, isSameSize, type RgbImage } from '@transfusion/data';
import { z } from 'zod';
import type { ImageLayout } from './config.js';
import type { ImageFormat, ImageFormats } from './image-formats.js';
import { parseOptions } from './parse-options.js';
import type { Pipeline } from './pipeline.js';

/** One value per pixel, [height, width], from 0 (keep) to 1 (repaint); from 0.5 on a pixel is repainted. */
export interface PixelMask {
  width: number;
  height: number;
  data: Float32Array | Uint8Array;
}

export interface SourceOptions {
  /** The image that another one is made from, of a size that the model draws. */
  from?: RgbImage;
  /** What of it is repainted, of its size. The other pixels are `from`'s, bit for bit. Default: all of it. */
  mask?: PixelMask;
  /** Above 0, at most 1: the share of the steps that are done. 1 starts from noise alone. Default 0.6; with a mask 1. */
  strength?: number;
}

/** An image to start from in the model's terms. */
export interface SourceLatents {
  /** [height, width, channels] of latents. */
  latents: Float32Array;
  /** [height, width, 1] of latents: 1 where they are to stay, else 0. Missing without a mask. */
  known?: Float32Array;
}

/** What an image is made from, checked. */
export interface ResolvedSource {
  pixels: RgbImage;
  mask?: PixelMask;
  /** Of what is drawn: that of the image. */
  format: ImageFormat;
}

export interface Source extends ResolvedSource, SourceLatents {}

const side = z.int().min(1);
const imageSchema = z.strictObject({
  width: side,
  height: side,
  data: z.custom<Float32Array>((value) => value instanceof Float32Array, 'expected a Float32Array'),
});
const maskSchema = z.strictObject({
  width: side,
  height: side,
  data: z.custom<PixelMask['data']>(
    (value) => value instanceof Float32Array || value instanceof Uint8Array,
    'expected a Float32Array or a Uint8Array',
  ),
});
const sourceSchema = z.object({ from: imageSchema.optional(), mask: maskSchema.optional() });

/**
 * Checks what an image is to be made from, before any work.
 *
 * @param where names the function in errors
 * @param given.size what the caller asks for, if anything
 * @returns undefined where there is nothing to start from
 * @throws TransfusionError SAMPLER_OPTIONS; SAMPLER_IMAGE_SIZE: the model draws no images of that size
 */
export function resolveSource(
  where: string,
  formats: ImageFormats,
  given: Omit<SourceOptions, 'strength'> & { size?: ImageSize },
): ResolvedSource | undefined {
  const { size } = given;
  if (given.mask !== undefined && given.from === undefined) {
    throw optionError(
      `${where}: a mask is given, but no image to start from`,
      'give the image that it belongs to as `from`',
    );
  }
  const { from, mask } = parseOptions(where, sourceSchema, { from: given.from, mask: given.mask });
  if (!from) return undefined;
  if (size && !isSameSize(from, size)) {
    throw optionError(
      `${where}: from is ${formatImageSize(from)}, size asks for ${formatImageSize(size)}`,
      'leave size out, what is drawn has the size of the image; or resize that first',
    );
  }
  const format = formats.askedFor(from, `${where}: from`);
  checkLength(`${where}: from`, from, 3);
  // The objects that were given, so that one image of many is encoded once.
  const source = { pixels: given.from!, format };
  if (!mask) return source;
  if (!isSameSize(mask, from)) {
    throw optionError(
      `${where}: mask is ${formatImageSize(mask)}, the image that it belongs to ${formatImageSize(from)}`,
      `give one value for each of its ${from.width * from.height} pixels`,
    );
  }
  checkLength(`${where}: mask`, mask, 1);
  const wrong = mask.data.findIndex((value) => !(value >= 0 && value <= 1));
  if (wrong < 0) return { ...source, mask };
  const [x, y] = [wrong % mask.width, Math.floor(wrong / mask.width)];
  throw optionError(
    `${where}: mask: the pixel at column ${x}, row ${y} is ${mask.data[wrong]}`,
    'give values from 0 (keep) to 1 (repaint); divide bytes by 255',
  );
}

/**
 * The source of each of `count` images, checked as `resolveSource` does.
 *
 * @param given.from, given.mask one for all images, or one each
 * @returns undefined where there is nothing to start from
 * @throws as `resolveSource`
 */
export function resolveSources(
  formats: ImageFormats,
  given: {
    count: number;
    from?: RgbImage | readonly RgbImage[];
    mask?: PixelMask | readonly PixelMask[];
    size?: ImageSize;
  },
): ResolvedSource[] | undefined {
  const { count, size } = given;
  const from = forEach('from', count, given.from);
  const mask = forEach('mask', count, given.mask);
  if (!from && !mask) return undefined;
  const sources: ResolvedSource[] = [];
  for (let i = 0; i < count; i++) {
    // One of all images is checked once.
    const isRepeated = i > 0 && from?.[i] === from?.[i - 1] && mask?.[i] === mask?.[i - 1];
    const where = isList(given.from) || isList(given.mask) ? `drawImages: image ${i + 1}` : 'drawImages';
    const source = { from: from?.[i], mask: mask?.[i], size };
    sources.push(isRepeated ? sources[i - 1] : resolveSource(where, formats, source)!);
  }
  return sources;
}

function forEach<Value>(name: string, count: number, given: Value | readonly Value[] | undefined) {
  if (given === undefined) return undefined;
  if (!isList(given)) return new Array<Value>(count).fill(given);
  if (given.length === count) return given;
  throw optionError(
    `drawImages: ${given.length} in ${name} for ${count} prompts`,
    `give one for all of them, or a list of ${count}`,
  );
}

function isList<Value>(value: Value | readonly Value[]): value is readonly Value[] {
  return Array.isArray(value);
}

function checkLength(
  what: string,
  { width, height, data }: { width: number; height: number; data: ArrayLike<number> },
  channels: number,
): void {
  const values = width * height * channels;
  if (data.length === values) return;
  const shape = channels === 1 ? `${height}, ${width}` : `${height}, ${width}, ${channels}`;
  throw optionError(`${what} has ${data.length} values`, `give [${shape}], ${values} values`);
}

/** @throws TransfusionError CODEC_SHAPE, CODEC_NOT_FINITE */
export async function encodeSources(pipeline: Pipeline, given: readonly ResolvedSource[]): Promise<Source[]> {
  // Many images are often made from one.
  const distinct = new Map(given.map((source) => [source.pixels, source.format]));
  const latents = new Map<RgbImage, Float32Array>();
  for (const [image, { width, height }] of distinct) {
    latents.set(image, (await pipeline.codec.encode({ width, height, images: [image.data] }))[0]);
  }
  return given.map((source) => ({
    ...source,
    latents: latents.get(source.pixels)!,
    ...(source.mask && { known: knownLatents(source.mask, source.format) }),
  }));
}

/**
 * Latents are known where no pixel that they cover is to be repainted: what of the repainted ones is not in the mask is put
 * back by `keepPixels`, while a pixel in the mask with a known latent would stay as it was.
 *
 * @returns [height, width, 1] of latents
 */
export function knownLatents(mask: PixelMask, { latent }: Pick<ImageLayout, 'latent'>): Float32Array {
  const { width, height, data } = mask;
  const known = new Float32Array(latent.height * latent.width).fill(1);
  data.forEach((value, i) => {
    if (value < 0.5) return;
    const [x, y] = [i % width, Math.floor(i / width)];
    known[Math.floor((y * latent.height) / height) * latent.width + Math.floor((x * latent.width) / width)] = 0;
  });
  return known;
}

/** A drawn image, in it the source's pixels where the mask keeps them. */
export function keepPixels(drawn: RgbImage, source: Pick<Source, 'pixels' | 'mask'> | undefined): RgbImage {
  if (!source?.mask) return drawn;
  const { pixels, mask } = source;
  const data = drawn.data.map((value, i) => (mask.data[Math.floor(i / 3)] >= 0.5 ? value : pixels.data[i]));
  return { ...drawn, data };
}

function optionError(message: string, fix: string): TransfusionError {
  return new TransfusionError({ code: 'SAMPLER_OPTIONS', message, fix });
}
