/** @file Any codec from its configuration. */
import { TransfusionError } from '@transfusion/tensor';
import { z } from 'zod';
import { type CodecConfigInput, codecConfigSchema, type ImageCodec } from './image-codec.js';
import { PixelCodec } from './pixel-codec.js';

/** @throws TransfusionError CODEC_CONFIG: an unknown kind of codec, or unknown keys */
export function createCodec(config: CodecConfigInput): ImageCodec {
  const parsed = codecConfigSchema.safeParse(config);
  if (!parsed.success) {
    throw new TransfusionError({
      code: 'CODEC_CONFIG',
      message: `createCodec: ${z.prettifyError(parsed.error)}`,
      fix: "the codec of this version is { kind: 'pixels' }",
    });
  }
  switch (parsed.data.kind) {
    case 'pixels':
      return new PixelCodec();
  }
}
