/** @file Any codec, on a backend where it needs one. */
import { TransfusionError } from '@transfusion/core';
import type { Backend } from '@transfusion/tensor';
import type { StoredTensor } from './autoencoder/weights.js';
import type { CodecRunOptions } from './codec/autoencoder-codec.js';
import { KlCodec } from './codec/kl-codec.js';
import { VqCodec } from './codec/vq-codec.js';
import type { CodecConfigInput } from './codec-config.js';
import { parseCodecConfig } from './create-codec.js';
import type { ImageCodec } from './image-codec.js';
import { PixelCodec } from './pixel-codec.js';

export interface OpenCodecOptions<Config extends CodecConfigInput = CodecConfigInput> extends CodecRunOptions {
  /** Where autoencoders run. Whoever opens it disposes of it, after the codec. */
  backend: Backend;
  config: Config;
  /** An autoencoder's weights, by diffusers' names and in its shapes. Pixels have none. */
  weights?: ReadonlyMap<string, StoredTensor>;
  /** Names the weights in errors. */
  where?: string;
}

/** The class for a kind of configuration. */
export type CodecOf<Config extends { kind: string }> = Config['kind'] extends 'kl'
  ? KlCodec
  : Config['kind'] extends 'vq'
    ? VqCodec
    : ImageCodec;

/**
 * A codec that can run. Functions are compiled when first needed, for every size and number of images, and kept until
 * `dispose()`.
 *
 * @throws TransfusionError CODEC_CONFIG, CODEC_WEIGHTS (missing, or of another model), CODEC_OPTIONS; OutOfMemoryError
 */
export function openCodec<Config extends CodecConfigInput>(options: OpenCodecOptions<Config>): CodecOf<Config>;
export function openCodec(options: OpenCodecOptions): ImageCodec {
  const { backend, weights, where, maxBatch, tiling } = options;
  const parsed = parseCodecConfig('openCodec', options.config);
  if (parsed.kind === 'pixels') return new PixelCodec();
  if (!weights) {
    throw new TransfusionError({
      code: 'CODEC_WEIGHTS',
      message: `openCodec: a codec of kind '${parsed.kind}' needs weights, none were given`,
      fix: 'read them with readCodecFolder, or give those of a training run (exportWeights)',
    });
  }
  const given = { backend, weights, where, maxBatch, tiling };
  return parsed.kind === 'kl'
    ? new KlCodec({ ...given, config: parsed.autoencoder })
    : new VqCodec({ ...given, config: parsed.autoencoder });
}
