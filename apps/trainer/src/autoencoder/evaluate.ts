/** @file What an autoencoder makes of pictures: reconstructions, and how good they are. */
import { type CaptionedImage, imageOf, type RgbImage, toBytes } from '@transfusion/data';
import { codebookUse, type ImageCodec, VqCodec } from '@transfusion/vae';
import { type ImageQuality, imageQuality } from '../evaluate/image-quality.js';

export interface AutoencoderScores extends ImageQuality {
  /** How many pictures were scored. */
  images: number;
  /** Of vq: share of the codebook that these pictures use, and its perplexity. */
  codebookUse?: number;
  perplexity?: number;
}

/** Pictures through latents (the posterior's mode) and back. */
export async function reconstruct(codec: ImageCodec, images: readonly CaptionedImage[]): Promise<RgbImage[]> {
  if (images.length === 0) return [];
  const originals = images.map(imageOf);
  const { width, height } = originals[0];
  const latents = await codec.encode({ width, height, images: originals.map(({ data }) => data) });
  const decoded = await codec.decode({ width, height, latents });
  return decoded.map((data) => ({ width, height, data }));
}

/** Scores reconstructions of `images`, of which there must be some. */
export async function scoreAutoencoder(
  codec: ImageCodec,
  images: readonly CaptionedImage[],
): Promise<AutoencoderScores> {
  const reconstructions = await reconstruct(codec, images);
  const quality = imageQuality(
    images.map(({ pixels }) => pixels),
    reconstructions.map(({ data }) => toBytes(data)),
  );
  return { images: images.length, ...quality, ...(await useOfCodes(codec, images)) };
}

async function useOfCodes(codec: ImageCodec, images: readonly CaptionedImage[]) {
  if (!(codec instanceof VqCodec) || codec.config.kind !== 'vq') return {};
  const { width, height } = imageOf(images[0]);
  const codes = await codec.encodeCodes({ width, height, images: images.map((image) => imageOf(image).data) });
  const counts = new Float64Array(codec.config.autoencoder.num_vq_embeddings);
  for (const each of codes) for (const code of each) counts[code]++;
  const { share, perplexity } = codebookUse(counts);
  return { codebookUse: share, perplexity };
}

/** One line for a person. */
export function describeScores(scores: AutoencoderScores): string {
  const { images, psnr, ssim, codebookUse, perplexity } = scores;
  const codes =
    codebookUse === undefined
      ? ''
      : `, ${(100 * codebookUse).toFixed(0)} % of the codebook, perplexity ${perplexity!.toFixed(0)}`;
  return `${images} held-out pictures: PSNR ${psnr.toFixed(2)} dB, SSIM ${ssim.toFixed(4)}${codes}`;
}
