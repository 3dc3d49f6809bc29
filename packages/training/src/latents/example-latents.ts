/** @file The clean latents of an example, and what a batch takes of them. */
import { type CaptionedImage, flipHorizontally, imageOf, patchify } from '@transfusion/data';
import type { PhiloxStream } from '@transfusion/tensor';
import type { ImageCodec, LatentDistribution, LatentShape } from '@transfusion/vae';
import { type InPartsOptions, inParts } from '../in-parts.js';

/** Of the picture as it is and, where mirrored ones are trained on, of its mirror image; patchified, scaled. */
export interface ExampleLatents {
  variants: readonly LatentDistribution[];
}

/** The picture as it is, and its mirror image where `flip` says so: [size, size, 3] in [-1, 1]. */
export function variantsOf(image: CaptionedImage, flip: boolean): Float32Array[] {
  const { data, width } = imageOf(image);
  return flip ? [data, flipHorizontally({ data, width, channels: 3 })] : [data];
}

/** Encodes pictures of one size, in parts: for each, its variants' latents, [latent height, latent width, channels]. */
export function encodeVariants(
  codec: ImageCodec,
  images: readonly CaptionedImage[],
  flip: boolean,
  options?: InPartsOptions,
): Promise<LatentDistribution[][]> {
  const each = flip ? 2 : 1;
  return inParts(
    images,
    async (part) => {
      const variants = part.map((image) => variantsOf(image, flip));
      const { width, height } = imageOf(part[0]);
      const encoded = await codec.encodeDistribution({ width, height, images: variants.flat() });
      return part.map((_, i) => encoded.slice(i * each, (i + 1) * each));
    },
    options,
  );
}

/** Latents in the order of the sequence: patch by patch. */
export function patchifyVariants(
  variants: readonly LatentDistribution[],
  shape: LatentShape,
  patchSize: number,
): ExampleLatents {
  const patches = (image: Float32Array) => patchify({ image, ...shape, patchSize });
  return {
    variants: variants.map(({ mean, deviation }) => ({
      mean: patches(mean),
      ...(deviation ? { deviation: patches(deviation) } : {}),
    })),
  };
}

/** Latents [patches, patch values] for a batch: one of the variants, drawn where there is something to draw. */
export function drawLatents({ variants }: ExampleLatents, stream: PhiloxStream): Float32Array {
  // Drawn always, so that an example's numbers do not depend on how many variants there are.
  const chosen = Math.floor(stream.uniform() * variants.length);
  const { mean, deviation } = variants[chosen];
  return deviation ? mean.map((value, i) => value + deviation[i] * stream.normal()) : mean;
}
