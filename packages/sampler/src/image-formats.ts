/** @file The sizes of images that a model can draw or read: how each lies in the sequence, and what opens it there. */
import { TransfusionError } from '@transfusion/core';
import {
  findImageSizeTokens,
  formatImageSize,
  type ImageSize,
  imageLength,
  imageOpening,
  imageSizeTokens,
  isSameSize,
} from '@transfusion/data';
import type { Tokenizer } from '@transfusion/tokenizer';
import { downsamplingFactor } from '@transfusion/vae';
import { dividingSize, type ImageLayout, imageLayout, imageSizes, type PipelineConfig } from './config.js';

/** How images of one size stand in a sequence. */
export interface ImageFormat extends ImageLayout {
  /** The id of the token that announces it, in a model that announces sizes. */
  sizeToken?: number;
  /** What stands before the patches: SIZE BOI, or BOI. The model begins such an image by its first token. */
  opening: number[];
  /** Positions from its opening to EOI. */
  length: number;
}

type SpecialTokens = Pick<Tokenizer, 'special' | 'specialTokens'>;

export class ImageFormats {
  /** Of the sizes that the model was trained on. */
  readonly trained: readonly ImageFormat[];
  /** Of an image whose size nobody chooses. */
  readonly default: ImageFormat;
  /** All tokens that announce a size. */
  readonly sizeTokens: readonly number[];
  readonly announced: boolean;
  readonly #config: PipelineConfig;
  readonly #tokenizer: SpecialTokens;

  /** @param sizeTokens size, written as `64x32`, to id; of a model that announces sizes, see `announcingTokens` */
  constructor(config: PipelineConfig, tokenizer: SpecialTokens, sizeTokens: ReadonlyMap<string, number> | undefined) {
    this.#config = config;
    this.#tokenizer = tokenizer;
    this.announced = sizeTokens !== undefined;
    this.sizeTokens = [...findImageSizeTokens(tokenizer.specialTokens).values()];
    this.trained = imageSizes(config.image).map((size) => this.#format(size, sizeTokens?.get(formatImageSize(size))));
    const { width, height } = imageLayout(config);
    this.default = this.trained.find((format) => isSameSize(format, { width, height }))!;
  }

  /** The format of a size that the model was trained on. @throws TransfusionError SAMPLER_IMAGE_SIZE */
  trainedSize(size: ImageSize, what: string): ImageFormat {
    const found = this.trained.find((format) => isSameSize(format, size));
    if (found) return found;
    const sizes = this.trained.map(formatImageSize).join(', ');
    throw new TransfusionError({
      code: 'SAMPLER_IMAGE_SIZE',
      message: `${what} is ${size.width} x ${size.height} pixels, the model was trained on ${sizes} (width x height)`,
      fix: `resize it to ${this.trained.length === 1 ? sizes : 'one of these'}`,
    });
  }

  /**
   * The format of a size that is asked for. A model of several sizes that does not announce them draws any that divides into
   * patches; another one those that it was trained on.
   *
   * @param what has that size, in errors
   * @throws TransfusionError SAMPLER_IMAGE_SIZE
   */
  askedFor(size: ImageSize, what = 'size'): ImageFormat {
    const found = this.trained.find((format) => isSameSize(format, size));
    if (found) return found;
    const sizes = this.trained.map(formatImageSize).join(', ');
    const unit = this.#unit();
    const isFree = this.trained.length > 1 && !this.announced;
    if (isFree && size.width % unit === 0 && size.height % unit === 0) return this.#format(size);
    const why = this.announced ? `it announces ${sizes}` : `it was trained on ${sizes}`;
    throw new TransfusionError({
      code: 'SAMPLER_IMAGE_SIZE',
      message: isFree
        ? `${what} is ${formatImageSize(size)}; width and height must be multiples of ${unit}`
        : `${what} is ${formatImageSize(size)}, which the model does not draw: ${why}`,
      fix: `${what === 'size' ? 'ask for' : 'resize it to'} ${isFree ? formatImageSize(dividingSize(size, unit)) : sizes.replace(/, (?!.*, )/, ' or ')}`,
    });
  }

  /**
   * What may be drawn: a size that is asked for; else, where the model announces sizes, any of these; else the default.
   *
   * @throws TransfusionError SAMPLER_IMAGE_SIZE
   */
  drawable(size: ImageSize | undefined): readonly ImageFormat[] {
    if (size) return [this.askedFor(size)];
    return this.announced ? this.trained : [this.default];
  }

  /** What the width and the height of an image are multiples of. */
  #unit(): number {
    const { codec, model } = this.#config;
    return (codec.kind === 'pixels' ? 1 : downsamplingFactor(codec.autoencoder)) * model.patchSize;
  }

  #format(size: ImageSize, sizeToken?: number): ImageFormat {
    const layout = imageLayout(this.#config, size);
    const opening = imageOpening(this.#tokenizer.special, sizeToken);
    return { ...layout, sizeToken, opening, length: imageLength(layout.patches, sizeToken !== undefined) };
  }
}

/**
 * The tokens that announce a model's sizes: size, written as `64x32`, to id; undefined where nothing announces them.
 *
 * @throws TransfusionError with the code given: the tokenizer does not have the tokens of these sizes and no others
 */
export function announcingTokens(
  { image }: Pick<PipelineConfig, 'image'>,
  { specialTokens }: Pick<Tokenizer, 'specialTokens'>,
  { where, code }: { /** Names the tokenizer in errors. */ where: string; code: string },
): Map<string, number> | undefined {
  return image.announced ? imageSizeTokens({ sizes: imageSizes(image), specialTokens, where, code }) : undefined;
}
