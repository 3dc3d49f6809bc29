/** @file What an autoencoder makes of pictures: reconstructions, and how good they are. */
import { type CaptionedImage, imageOf, type RgbImage, toBytes } from '@transfusion/data';
import { codebookUse, type ImageCodec, VqCodec } from '@transfusion/vae';
import { type InPartsOptions, inParts } from '../in-parts.js';
import { type ImageQuality, imageQuality } from './image-quality.js';

export interface AutoencoderScores extends ImageQuality {
  /** How many pictures were scored. */
  images: number;
  /** Of vq: share of the codebook that these pictures use, and its perplexity. */
  codebookUse?: number;
  perplexity?: number;
}

/** Pictures of one size through latents (the posterior's mode) and back, in parts. */
export function reconstruct(
  codec: ImageCodec,
  images: readonly CaptionedImage[],
  options?: InPartsOptions,
): Promise<RgbImage[]> {
  return inParts(
    images,
    async (part) => {
      const originals = part.map(imageOf);
      const { width, height } = originals[0];
      const latents = await codec.encode({ width, height, images: originals.map(({ data }) => data) });
      const decoded = await codec.decode({ width, height, latents });
      return decoded.map((data) => ({ width, height, data }));
    },
    options,
  );
}

/** Scores reconstructions of `images`, of which there must be some. */
export async function scoreAutoencoder(
  codec: ImageCodec,
  images: readonly CaptionedImage[],
  options?: InPartsOptions,
): Promise<AutoencoderScores> {
  const uses = codec.config.kind === 'vq' ? new Float64Array(codec.config.autoencoder.num_vq_embeddings) : undefined;
  const each = await inParts(
    images,
    async (part) => {
      if (uses && codec instanceof VqCodec) await addUses(uses, codec, part);
      const reconstructions = await reconstruct(codec, part);
      return part.map(({ pixels }, i) => imageQuality(pixels, toBytes(reconstructions[i].data)));
    },
    options,
  );
  const mean = (name: keyof ImageQuality) => each.reduce((sum, quality) => sum + quality[name], 0) / each.length;
  const scores = { images: images.length, psnr: mean('psnr'), ssim: mean('ssim') };
  if (!uses) return scores;
  const { share, perplexity } = codebookUse(uses);
  return { ...scores, codebookUse: share, perplexity };
}

async function addUses(uses: Float64Array, codec: VqCodec, images: readonly CaptionedImage[]): Promise<void> {
  const { width, height } = imageOf(images[0]);
  const codes = await codec.encodeCodes({ width, height, images: images.map((image) => imageOf(image).data) });
  for (const own of codes) for (const code of own) uses[code]++;
}

/** One line for a person. */
export function describeScores(scores: AutoencoderScores): string {
  const { images, psnr, ssim, codebookUse, perplexity } = scores;
  const codes =
    codebookUse === undefined
      ? ''
      : `, ${(100 * codebookUse).toFixed(0)} % of the codebook, perplexity ${perplexity!.toFixed(0)}`;
  return `${images} held-out pictures: PSNR ${psnr.toFixed(2)} dB, SSIM ${Number.isNaN(ssim) ? 'only from 11 x 11 pixels' : ssim.toFixed(4)}${codes}`;
}
