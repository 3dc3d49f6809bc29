/** @file One image: from a text, from an image, or as an instruction says. */
import { nextTask, TransfusionError } from '@transfusion/core';
import type { ImageSize, RgbImage } from '@transfusion/data';
import {
  completeImageSampling,
  defaultImageSize,
  type ImageSamplingOptions,
  imageLayout,
  type PipelineConfig,
  type PixelMask,
  type Sampler,
} from '@transfusion/sampler';
import type { Observer } from './observer.js';
import type { Work } from './run-all.js';

export interface Drawing {
  prompt: string;
  seed: number;
  /** Of the image, in pixels; default: what the model chooses, or its own. */
  size?: ImageSize;
  image: ImageSamplingOptions & { strength?: number };
  /** What it is made from, by noising it; with a mask only where that says. */
  from?: RgbImage;
  mask?: PixelMask;
  /** What it is made from, by the model's own editing. */
  edited?: RgbImage;
  /** Most previews. */
  partialImages: number;
}

export type DrawingEvent = { type: 'partial'; index: number; image: RgbImage } | { type: 'image'; image: RgbImage };

/** @throws TransfusionError as `Sampler.generate`, before any work */
export function checkDrawing(
  config: PipelineConfig,
  { image, from, mask }: Pick<Drawing, 'image' | 'from' | 'mask'>,
): void {
  completeImageSampling(config, image, from && (mask ? 'masked' : 'whole'));
}

export function draw(sampler: Sampler, drawing: Drawing, observer: Observer): Work<DrawingEvent> {
  const { prompt, seed, size, image, from, mask, edited, partialImages } = drawing;
  return async (emit, signal) => {
    let index = 0;
    const events = sampler.generate({
      prompt: [...(edited ? [{ image: edited }] : []), { text: prompt }],
      // Of an edit: away from whatever goes with the image, which has the size of what is drawn.
      ...(edited ? { guideAwayFrom: 'images', size: { width: edited.width, height: edited.height } } : { size }),
      ...{ seed, signal, forceImage: true, maxTokens: 0, maxImages: 1 },
      image: { ...image, from, mask },
      previewEvery: previewEvery(sampler.config, drawing),
    });
    for await (const event of events) {
      if (event.type === 'denoise') {
        observer.step();
        if (event.preview && index < partialImages) emit({ type: 'partial', index: index++, image: event.preview });
      } else if (event.type === 'image') {
        observer.image();
        emit({ type: 'image', image: event.image });
      }
      // Who asked may have left.
      await nextTask();
    }
  };
}

/** Spreads the previews over the steps. */
export function previewEvery(
  config: PipelineConfig,
  { image, size, partialImages }: Pick<Drawing, 'image' | 'size' | 'partialImages'>,
): number | undefined {
  if (partialImages === 0) return undefined;
  const { steps = config.sampling.steps, strength = 1 } = image;
  const all = config.model.images === 'tokens' ? patchesOf(config, size) : Math.ceil(steps * strength);
  const every = Math.ceil(all / (partialImages + 1));
  // All of them, where there are steps enough.
  const isAll = Math.floor((all - 1) / every) >= partialImages;
  return Math.max(1, isAll ? every : Math.floor(all / (partialImages + 1)));
}

/** Of an image, for the count of tokens; of a size that the model does not draw none. */
export function patchesOf(config: PipelineConfig, size: ImageSize = defaultImageSize(config.image)): number {
  try {
    return imageLayout(config, size).patches;
  } catch (error) {
    if (TransfusionError.isInstance(error)) return 0;
    throw error;
  }
}
