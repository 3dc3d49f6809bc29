/** @file Pictures and masks of a request, in the sizes of a model. */
import { opacityPicture } from '@transfusion/app-common';
import { TransfusionError } from '@transfusion/core';
import type { ImageSize, RgbImage } from '@transfusion/data';
import { decodeFittedImage } from '@transfusion/data/node';
import type { PixelMask } from '@transfusion/sampler';
import { ApiError, badRequest } from '../api-error.js';
import { Gate } from './gate.js';
import { readPictureHeader } from './picture-header.js';

const KINDS = 'PNG, JPEG, WebP and GIF';
/** A wide and flat picture has few pixels, and rows that cost memory. */
const MOST_SIDE = 16_384;

/** A picture as it came. */
export interface GivenPicture {
  bytes: Uint8Array;
  /** The field that it was in, for errors. */
  param: string;
}

export class PictureReader {
  readonly #mostPixels: number;
  readonly #gate: Gate;

  /** @param options.atOnce pictures that are decoded at the same time, each of up to `mostPixels` */
  constructor({ mostPixels, atOnce = 2 }: { mostPixels: number; atOnce?: number }) {
    this.#mostPixels = mostPixels;
    this.#gate = new Gate(atOnce);
  }

  /**
   * The picture, cropped to its centre and resized to that of the sizes that is nearest in aspect.
   *
   * @throws ApiError 400: no picture, damaged, of another kind, or too large, which its header says before it is decoded
   */
  async picture(given: GivenPicture, sizes: readonly ImageSize[]): Promise<RgbImage> {
    this.check(given);
    return this.#decode(given, given.bytes, sizes);
  }

  /**
   * A mask in OpenAI's form: what is transparent is repainted.
   *
   * @param image whose size it is to have
   * @param picture as it came, whose shape it is to have
   * @throws ApiError 400 as `picture`; of another shape than the picture; nothing of it is transparent
   */
  async mask(given: GivenPicture, picture: GivenPicture, image: RgbImage): Promise<PixelMask> {
    const [own, other] = [this.check(given), this.check(picture)];
    if (own.width !== other.width || own.height !== other.height) {
      const sizes = `the mask is ${own.width} x ${own.height} pixels, the image ${other.width} x ${other.height}`;
      throw badRequest(`Invalid mask: ${sizes}. Give a mask of the size of the image.`, given.param, 'invalid_mask');
    }
    const { width, height } = image;
    const opacity = await this.#reading(given, () => this.#gate.run(() => opacityPicture(given.bytes)));
    const { data } = await this.#decode(given, opacity, [image]);
    const repainted = Float32Array.from({ length: width * height }, (_, i) => {
      return Math.min(Math.max((1 - data[i * 3]) / 2, 0), 1);
    });
    if (repainted.every((value) => value < 0.5)) {
      const where = `at ${width} x ${height}, the size that is drawn`;
      throw badRequest(
        `Invalid mask: it has no transparent pixel ${where}, so nothing would be repainted. Make transparent what is to change.`,
        given.param,
        'invalid_mask',
      );
    }
    return { width, height, data: repainted };
  }

  /** @throws ApiError 400, by the first bytes alone */
  check({ bytes, param }: GivenPicture): ImageSize {
    const header = readPictureHeader(bytes);
    if (!header) {
      throw badRequest(
        `Invalid image: it is no ${KINDS.replace(/ and /, ' or ')} file.`,
        param,
        'invalid_image_format',
      );
    }
    const { width, height } = header;
    if (width === 0 || height === 0) {
      throw badRequest(`Invalid image: its header says ${width} x ${height} pixels.`, param, 'invalid_image');
    }
    if (width * height > this.#mostPixels || Math.max(width, height) > MOST_SIDE) {
      const most = `${MOST_SIDE} a side and ${this.#mostPixels} in all`;
      throw badRequest(`The image is ${width} x ${height} pixels; the most is ${most}.`, param, 'image_too_large');
    }
    return { width, height };
  }

  #decode({ param }: GivenPicture, bytes: Uint8Array, sizes: readonly ImageSize[]): Promise<RgbImage> {
    const limits = { maxSide: MOST_SIDE, maxPixels: this.#mostPixels };
    return this.#reading({ param }, () =>
      this.#gate.run(() => decodeFittedImage(bytes, sizes, { where: param, limits })),
    );
  }

  async #reading<Result>({ param }: { param: string }, read: () => Promise<Result>): Promise<Result> {
    try {
      return await read();
    } catch (error) {
      // The libraries that read pictures throw plain errors.
      if (TransfusionError.isInstance(error) && !error.code.startsWith('IMAGE_')) throw error;
      const tooLarge = TransfusionError.isInstance(error) && error.code === 'IMAGE_TOO_LARGE';
      throw new ApiError({
        status: 400,
        message: `Invalid image: it is damaged, or too large to decode. Give an intact file; ${KINDS} can be read.`,
        ...{ param, code: tooLarge ? 'image_too_large' : 'image_parse_error', cause: error },
      });
    }
  }
}
