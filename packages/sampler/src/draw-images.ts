/** @file Many images at once, one for each caption. */
import { drawingPrefix, type ImageSize, type RgbImage } from '@transfusion/data';
import { z } from 'zod';
import { chooseFormats } from './choose-formats.js';
import { type DrawingProgress, drawPrompts } from './draw-prompts.js';
import type { ImageFormat } from './image-formats.js';
import { type ImageSamplingOptions, imageSizeSchema } from './image-sampling.js';
import { isGuidedDrawing, resolveDrawing } from './image-steps.js';
import { encodeSources, type PixelMask, resolveSources } from './image-to-image.js';
import { parseOptions } from './parse-options.js';
import { checkContext, checkHasImages, type Pipeline } from './pipeline.js';

export interface DrawImagesOptions extends ImageSamplingOptions {
  /** Captions; an empty one draws any image. */
  prompts: readonly string[];
  /** Images to make others from: one for all prompts, or one each. They say the size of what is drawn. */
  from?: RgbImage | readonly RgbImage[];
  /** What of `from` is repainted, one for all prompts or one each; the other pixels stay, bit for bit. Default: all of it. */
  mask?: PixelMask | readonly PixelMask[];
  /** With `from`, above 0, at most 1: the share of the steps that are done. Default 0.6; with a mask 1. */
  strength?: number;
  /** A whole number from 0; default 0. Image i depends on the seed, on i and on prompt i. */
  seed?: number;
  /** The i of the first image. Default 0. */
  firstIndex?: number;
  /** Most prompts in one batch (guidance doubles its rows); default 16. */
  maxBatch?: number;
  /**
   * Of all images, in pixels, as for `generate`. Default: for each prompt the size that a model that announces sizes finds most
   * likely after it; else the model's own.
   */
  size?: ImageSize;
  signal?: AbortSignal;
  /** Called after every denoising step of every batch, and waited for. */
  onStep?: (progress: DrawingProgress) => unknown;
}

const optionsSchema = z.object({
  prompts: z.array(z.string()),
  seed: z.int().min(0).default(0),
  firstIndex: z.int().min(0).default(0),
  maxBatch: z.int().min(1).default(16),
  size: imageSizeSchema.optional(),
});

/** See `Sampler.drawImages`. */
export async function drawImages(pipeline: Pipeline, given: DrawImagesOptions): Promise<RgbImage[]> {
  const { prompts, seed, firstIndex, maxBatch, size, signal, onStep, from, mask, ...imageOptions } = given;
  const options = parseOptions('drawImages', optionsSchema, { prompts, seed, firstIndex, maxBatch, size });
  checkHasImages(pipeline);
  const image = resolveDrawing(pipeline.config, imageOptions, { from, mask });
  const resolved = resolveSources(pipeline.formats, { count: options.prompts.length, from, mask, size: options.size });
  const captions = options.prompts.map((prompt) => pipeline.tokenizer.encode(prompt));
  const negative = pipeline.tokenizer.encode(image.negativePrompt);
  const formats = pipeline.formats.drawable(options.size);
  captions.forEach((ids, i) => {
    checkCaption(pipeline, { prompt: options.prompts[i], ids, formats: resolved ? [resolved[i].format] : formats });
  });
  const chosen = resolved
    ? resolved.map(({ format }) => format)
    : await chooseFormats(pipeline, { captions, formats, maxBatch: options.maxBatch, signal });
  for (const format of isGuidedDrawing(image) ? new Set(chosen) : []) {
    const what = { prompt: image.negativePrompt, ids: negative, formats: [format], name: 'the negative prompt' };
    checkCaption(pipeline, what);
  }
  const sources = resolved && (await encodeSources(pipeline, resolved));
  const prefix = (ids: readonly number[], { sizeToken }: ImageFormat) => [
    { tokens: drawingPrefix(ids, pipeline.tokenizer.special, sizeToken) },
  ];
  const drawn = chosen.map((format, i) => ({
    ...{ format, prompt: prefix(captions[i], format), unconditional: prefix(negative, format) },
    source: sources?.[i],
  }));
  return drawPrompts(pipeline, image, drawn, { ...options, signal, onStep });
}

/** @throws TransfusionError SAMPLER_CONTEXT: not even the smallest image fits */
function checkCaption(
  pipeline: Pipeline,
  given: { prompt: string; ids: readonly number[]; formats: readonly ImageFormat[]; name?: string },
): void {
  const { prompt, ids, formats, name = 'the prompt' } = given;
  const shown = prompt.length > 40 ? `${prompt.slice(0, 37)}...` : prompt;
  // BOS, the caption, and the image; nothing needs to follow it.
  const ofImages = Math.min(...formats.map(({ opening, patches }) => opening.length + patches));
  const taken = { positions: 1 + ids.length + ofImages, ofImages };
  checkContext(pipeline, `${name} ${JSON.stringify(shown)} with its image`, taken);
}
