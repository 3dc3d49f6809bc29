/** @file Drawing images, by what they are to the model: denoised, or sampled as tokens. */
import { isGuided } from '@transfusion/schedulers';
import type { z } from 'zod';
import { type CodeSampling, completeCodeSampling, resolveCodeSampling } from './code-sampling.js';
import type { DrawingConfig } from './config.js';
import { type DenoisedStep, denoise } from './denoise.js';
import { drawCodes } from './draw-codes.js';
import type { ImageFormat } from './image-formats.js';
import {
  completeDenoising,
  type ImageSampling,
  type ImageSamplingOptions,
  type imageSamplingSchema,
  resolveImageSampling,
} from './image-sampling.js';
import type { SourceLatents } from './image-to-image.js';
import type { Pipeline } from './pipeline.js';
import type { Sequences } from './sequences.js';

/** How images are drawn. */
export type Drawing = ImageSampling | CodeSampling;

type GivenOptions = ImageSamplingOptions & { strength?: number };

/**
 * @param source what the image is made from, if anything
 * @throws as `resolveImageSampling` and `resolveCodeSampling`
 */
export function resolveDrawing(
  config: DrawingConfig,
  options: GivenOptions = {},
  source: { from?: unknown; mask?: unknown } = {},
): Drawing {
  if (config.model.images === 'tokens') return resolveCodeSampling(config, options, source);
  return resolveImageSampling(config, options, source.from ? (source.mask ? 'masked' : 'whole') : undefined);
}

/**
 * The options with everything that was left to the model, or to a default: the same image whatever becomes of these.
 *
 * @param source whether the image is made from another one, and where that has a mask
 * @throws as `resolveDrawing`
 */
export function completeImageSampling(
  config: DrawingConfig,
  options: GivenOptions,
  source?: 'whole' | 'masked',
): z.output<typeof imageSamplingSchema> {
  if (config.model.images !== 'tokens') return completeDenoising(config, options, source);
  return completeCodeSampling(config, options, { from: source });
}

export function isGuidedDrawing(drawing: Drawing): boolean {
  return 'plan' in drawing ? isGuided(drawing.guidance) : drawing.guidance !== 1;
}

export interface ImageStepsOptions {
  drawing: Drawing;
  /** Of the images. */
  format: ImageFormat;
  /** See `denoise`, `drawCodes`. */
  batch: Sequences;
  seed: number;
  noiseIndices: readonly number[];
  /** What they are made from, where they are denoised. */
  sources?: readonly SourceLatents[];
  signal?: AbortSignal;
}

/**
 * The steps of drawing some images together, and at their end the images, [height, width, channels] of latents or, as one channel,
 * codes. The sequences stay where they stood: append the result with `appendImages`.
 */
export function imageSteps(
  { codes, tokenizer }: Pipeline,
  { drawing, format, sources, ...options }: ImageStepsOptions,
): AsyncGenerator<DenoisedStep, Float32Array[]> {
  if ('plan' in drawing) return denoise({ ...options, ...drawing, layout: format, sources });
  const { codes: sampling, guidance } = drawing;
  return drawCodes({
    ...{ ...options, codes: codes!, length: format.patches, sampling, guidance },
    special: tokenizer.special,
  });
}

/** How many steps an image takes. */
export function stepsOf(drawing: Drawing, { patches }: ImageFormat): number {
  return 'plan' in drawing ? drawing.plan.steps : patches;
}
