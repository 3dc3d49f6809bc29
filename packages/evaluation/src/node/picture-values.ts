/** @file Pictures as a network takes them: cropped, resized, normalised and laid out. */
import { fitImage, type ResizeFilter, type RgbImage } from '@transfusion/data';
import { mismatch, unmeasurable } from '../errors.js';
import type { PictureInput } from './picture-network.js';

/** Of red, green and blue, from 0 to 1: a value becomes (value - mean) / std. */
export interface PictureNormalisation {
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
  resize: ResizeFilter;
}

/** What networks were trained with. */
export const PRESETS = {
  /** pytorch-fid's: values in [-1, 1]. */
  inception: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], resize: 'linear' },
  /** OpenAI's, and OpenCLIP's of that data. */
  clip: {
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
    resize: 'cubic',
  },
  /** torchvision's. */
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], resize: 'linear' },
} as const satisfies Record<string, PictureNormalisation>;

/** Of pictures of [-1, 1]: [pictures, 3, height, width] or [pictures, height, width, 3], further rows up to `rows` 0. */
export function pictureValues(
  images: readonly RgbImage[],
  { layout, size }: PictureInput,
  { mean, std, resize }: PictureNormalisation,
  rows: number,
): Float32Array {
  const pixels = size.width * size.height;
  const values = new Float32Array(rows * pixels * 3);
  const [pixelStep, channelStep] = layout === 'nchw' ? [1, pixels] : [3, 1];
  images.forEach((image, row) => {
    const { data } = fitImage(image, size, resize);
    for (let c = 0; c < 3; c++) {
      const [scale, offset] = [0.5 / std[c], (0.5 - mean[c]) / std[c]];
      let at = row * pixels * 3 + c * channelStep;
      for (let pixel = 0; pixel < pixels; pixel++, at += pixelStep) values[at] = data[pixel * 3 + c] * scale + offset;
    }
  });
  return values;
}

/** @throws TransfusionError EVALUATION_MISMATCH, EVALUATION_VALUE: a picture that is none */
export function checkPictures(images: readonly RgbImage[]): void {
  if (images.length === 0) throw unmeasurable('features: there are no pictures');
  for (const [index, { width, height, data }] of images.entries()) {
    if (data.length !== width * height * 3) {
      throw mismatch(
        `features: picture ${index} has ${data.length} values, expected [${height}, ${width}, 3] = ${width * height * 3}`,
      );
    }
    if (data.every(Number.isFinite)) continue;
    throw unmeasurable(`features: picture ${index} has values that are not finite`);
  }
}
