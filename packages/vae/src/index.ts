/** @file @transfusion/vae: images to latents and back. */

export { createCodec } from './create-codec.js';
export {
  type CodecConfig,
  type CodecConfigInput,
  codecConfigSchema,
  type ImageCodec,
  type ImageSize,
  type LatentShape,
  latentShapeOf,
} from './image-codec.js';
export { PixelCodec, pixelCodecSchema } from './pixel-codec.js';
