/** @file The clean latents of pictures, and what a batch takes of them. */
import { type CaptionedImage, flipHorizontally, type ImageGrid, imageOf } from '@transfusion/data';
import type { Communicator } from '@transfusion/distributed';
import type { PhiloxStream } from '@transfusion/tensor';
import type { ImageCodec, LatentDistribution } from '@transfusion/vae';
import { type InPartsOptions, inParts, partsOfRanks } from '../in-parts.js';
import { gatherLatents } from './gather-latents.js';

/** A picture of any size. */
export type Picture = Pick<CaptionedImage, 'width' | 'height' | 'pixels'>;

/** Of the picture as it is and, where mirrored ones are trained on, of its mirror image: scaled, [height, width, channels]. */
export interface PictureLatents {
  /** Of the latents. */
  grid: ImageGrid;
  variants: readonly LatentDistribution[];
  /** Of other views of it, where it is read; default: none. */
  views?: readonly LatentDistribution[];
}

/** The picture as it is, and its mirror image where `flip` says so: [height, width, 3] in [-1, 1]. */
export function variantsOf(picture: Picture, flip: boolean): Float32Array[] {
  const { data, width } = imageOf(picture);
  return flip ? [data, flipHorizontally({ data, width, channels: 3 })] : [data];
}

export interface EncodeVariantsOptions extends InPartsOptions {
  /** Of ranks that all encode the same pictures: each does some of the parts, and gets the rest from the others. */
  communicator?: Communicator;
}

/** Encodes pictures, in parts and those of one size together: for each, in their order, its variants' latents. */
export async function encodeVariants(
  codec: Pick<ImageCodec, 'encodeDistribution'>,
  pictures: readonly Picture[],
  flip: boolean,
  { communicator, ...options }: EncodeVariantsOptions = {},
): Promise<LatentDistribution[][]> {
  const each = flip ? 2 : 1;
  const bySize = new Map<string, number[]>();
  pictures.forEach(({ width, height }, i) => {
    const size = `${width} x ${height}`;
    const same = bySize.get(size);
    if (same) same.push(i);
    else bySize.set(size, [i]);
  });
  const encoded = new Array<LatentDistribution[]>(pictures.length);
  let done = 0;
  for (const indices of bySize.values()) {
    const { size, rank } = communicator ?? { size: 1, rank: 0 };
    const onProgress = (count: number) => options.onProgress?.(done + Math.min(indices.length, count * size));
    const byRank = partsOfRanks(indices, size);
    const own = await inParts(
      byRank[rank],
      async (part) => {
        const variants = part.flatMap((i) => variantsOf(pictures[i], flip));
        const { width, height } = pictures[part[0]];
        const latents = await codec.encodeDistribution({ width, height, images: variants });
        return part.map((_, i) => latents.slice(i * each, (i + 1) * each));
      },
      { ...options, onProgress },
    );
    const all = communicator
      ? await gatherLatents(
          communicator,
          own.flat(),
          byRank.map(({ length }) => length * each),
        )
      : own.flat();
    byRank.flat().forEach((index, i) => {
      encoded[index] = all.slice(i * each, (i + 1) * each);
    });
    done += indices.length;
  }
  return encoded;
}

/**
 * For a batch: one of the variants, drawn where there is something to draw.
 * @param isRead it may be a view as well
 */
export function drawLatents(
  { variants, views = [] }: PictureLatents,
  stream: PhiloxStream,
  { isRead }: { isRead: boolean },
): {
  /** [height, width, channels]. */
  latents: Float32Array;
  isView: boolean;
} {
  const all = isRead ? [...variants, ...views] : variants;
  // Drawn always, so that a picture's numbers do not depend on how many there are.
  const chosen = Math.floor(stream.uniform() * all.length);
  const { mean, deviation } = all[chosen];
  const latents = deviation ? mean.map((value, i) => value + deviation[i] * stream.normal()) : mean;
  return { latents, isView: chosen >= variants.length };
}
