/** @file The codes of pictures in the place of latents, and where they are in the vocabulary. */
import { TransfusionError } from '@transfusion/core';
import type { CodeIds } from '@transfusion/data';
import { type CodecConfig, hasCodes, type ImageCodec, type LatentDistribution } from '@transfusion/vae';

/**
 * The ids of a codec's codes, after those of text.
 *
 * @param textIds of the tokenizer
 * @throws TransfusionError CONFIG_CODEC: it has no codes
 */
export function codeIds(codec: CodecConfig, textIds: number): CodeIds {
  if (codec.kind === 'vq') return { first: textIds, count: codec.autoencoder.num_vq_embeddings };
  throw noCodes(codec.kind);
}

/** A codec whose latents are codes, [height, width, 1], as numbers. @throws TransfusionError CONFIG_CODEC */
export function codesAsLatents(codec: ImageCodec): Pick<ImageCodec, 'encodeDistribution'> {
  if (!hasCodes(codec)) throw noCodes(codec.config.kind);
  return {
    async encodeDistribution(options): Promise<LatentDistribution[]> {
      return (await codec.encodeCodes(options)).map((codes) => ({ mean: Float32Array.from(codes) }));
    },
  };
}

function noCodes(kind: string): TransfusionError {
  return new TransfusionError({
    code: 'CONFIG_CODEC',
    message: `model.images is tokens, and the codec is ${kind}, which has no codes`,
    fix: 'choose a VQ autoencoder, such as codec=emoji-64-vq, or model.images=diffusion',
  });
}
