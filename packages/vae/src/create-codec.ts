/** @file A codec that needs nothing but its configuration. */
import { parseConfig, TransfusionError } from '@transfusion/core';
import { type CodecConfig, type CodecConfigInput, codecConfigSchema } from './codec-config.js';
import type { ImageCodec } from './image-codec.js';
import { PixelCodec } from './pixel-codec.js';

/**
 * @throws TransfusionError CODEC_CONFIG: an unknown kind of codec, or unknown keys; CODEC_WEIGHTS: an autoencoder, which
 *   needs weights and a backend
 */
export function createCodec(config: CodecConfigInput): ImageCodec {
  const parsed = parseCodecConfig('createCodec', config);
  if (parsed.kind === 'pixels') return new PixelCodec();
  throw new TransfusionError({
    code: 'CODEC_WEIGHTS',
    message: `createCodec: a codec of kind '${parsed.kind}' needs a backend and weights, which createCodec has not`,
    fix: 'use openCodec({ backend, config, weights })',
  });
}

/** @throws TransfusionError CODEC_CONFIG */
export function parseCodecConfig(caller: string, config: unknown): CodecConfig {
  return parseConfig(codecConfigSchema, config, caller, {
    code: 'CODEC_CONFIG',
    fix: "a codec is { kind: 'pixels' }, or { kind: 'kl' or 'vq', autoencoder: ... }: see codecConfigOf",
  });
}
