/** @file Sizes of images in pixels: as they are written, `64x32`, the tokens that announce them, and which is nearest to a picture's. */
import { TransfusionError } from '@transfusion/core';

/** In pixels. */
export interface ImageSize {
  width: number;
  height: number;
}

const SIZE = /^([1-9]\d{0,3})x([1-9]\d{0,3})$/;
const TOKEN = /^<\|image:(.+)\|>$/;

/** Width x height: `64x32`. */
export function formatImageSize({ width, height }: ImageSize): string {
  return `${width}x${height}`;
}

/** The size that is written so, width first; undefined where it is none of 1x1 to 9999x9999. */
export function parseImageSize(text: string): ImageSize | undefined {
  const [, width, height] = SIZE.exec(text) ?? [];
  return width === undefined ? undefined : { width: Number(width), height: Number(height) };
}

export function isSameSize(one: ImageSize, other: ImageSize): boolean {
  return one.width === other.width && one.height === other.height;
}

/** The different sizes among pictures, in the order in which they come. */
export function distinctSizes(pictures: Iterable<ImageSize>): ImageSize[] {
  const sizes = new Map<string, ImageSize>();
  for (const { width, height } of pictures) {
    const written = formatImageSize({ width, height });
    if (!sizes.has(written)) sizes.set(written, { width, height });
  }
  return [...sizes.values()];
}

/** The control token that announces an image of this size: `<|image:64x32|>`. */
export function imageSizeToken(size: ImageSize): string {
  return `<|image:${formatImageSize(size)}|>`;
}

/**
 * The tokens of a tokenizer that announce sizes.
 *
 * @param specialTokens its special tokens, spelling to id (see `Tokenizer.specialTokens` of @transfusion/tokenizer)
 * @returns size, written as `64x32`, to id
 */
export function findImageSizeTokens(specialTokens: ReadonlyMap<string, number>): Map<string, number> {
  const found = new Map<string, number>();
  for (const [spelling, id] of specialTokens) {
    const written = TOKEN.exec(spelling)?.[1] ?? '';
    if (parseImageSize(written)) found.set(written, id);
  }
  return found;
}

/**
 * The tokens that announce these sizes, which a tokenizer must have: these and no others.
 *
 * @param options.where names the tokenizer in errors
 * @param options.code of the error
 * @throws TransfusionError with that code: a size has no token, or a token is of no size
 */
export function imageSizeTokens(options: {
  sizes: readonly ImageSize[];
  specialTokens: ReadonlyMap<string, number>;
  where: string;
  code: string;
}): Map<string, number> {
  const { sizes, specialTokens, where, code } = options;
  const found = findImageSizeTokens(specialTokens);
  const named = sizes.map(formatImageSize);
  const missing = sizes.filter((size) => !found.has(formatImageSize(size)));
  const unknown = [...found.keys()].filter((size) => !named.includes(size));
  if (missing.length === 0 && unknown.length === 0) return found;
  const problems = [
    ...(missing.length > 0 ? [`has no ${missing.map(imageSizeToken).join(', ')}`] : []),
    ...unknown.map((size) => `has <|image:${size}|>, and no image is of that size`),
  ];
  throw new TransfusionError({
    code,
    message: `${where} ${problems.join('; ')} (image sizes: ${named.join(', ')})`,
    fix: 'use the tokenizer and the sizes of one model; an image size that is announced has a special token of its own',
  });
}

/**
 * Of `sizes`, that with the aspect ratio nearest to a picture's, by the quotient of the two; of equally near ones that with the
 * nearest area, then the first.
 */
export function nearestImageSize(sizes: readonly ImageSize[], picture: ImageSize): ImageSize {
  const aspect = ({ width, height }: ImageSize) => width / height;
  const area = ({ width, height }: ImageSize) => width * height;
  const apart = (a: number, b: number) => Math.abs(Math.log(a / b));
  const distances = sizes.map((size) => ({
    size,
    // Rounded: 2:1 and 1:2 are equally far from a square.
    aspect: Math.round(1e9 * apart(aspect(size), aspect(picture))),
    area: Math.round(1e9 * apart(area(size), area(picture))),
  }));
  return distances.reduce((best, each) => {
    const isNearer = each.aspect < best.aspect || (each.aspect === best.aspect && each.area < best.area);
    return isNearer ? each : best;
  }).size;
}
