/** @file @transfusion/vae: images to latents and back. */

export { decode, encode, encodeToVectors } from './autoencoder/autoencoder.js';
export {
  type AutoencoderConfig,
  codeChannels,
  downsamplingFactor,
  type KlConfig,
  type KlConfigInput,
  klConfigSchema,
  latentChannels,
  type VqConfig,
  type VqConfigInput,
  vqConfigSchema,
} from './autoencoder/config.js';
export {
  autoencoderSpec,
  type DecoderParameters,
  type EncoderParameters,
  type KlParameters,
  klSpec,
  type VqParameters,
  vqSpec,
} from './autoencoder/parameters.js';
export { parseAutoencoderConfig } from './autoencoder/parse-config.js';
export { type Posterior, samplePosterior } from './autoencoder/posterior.js';
export { klPresets, vqPresets } from './autoencoder/presets.js';
export {
  type KlReconstruction,
  reconstructKl,
  reconstructVq,
  type VqReconstruction,
} from './autoencoder/training.js';
export { exportWeights, importWeights, type StoredTensor } from './autoencoder/weights.js';
export type { CodecRunOptions, Tiling } from './codec/autoencoder-codec.js';
export {
  autoencoderCodec,
  type CodecFolder,
  codecConfigOf,
  readCodecFolder,
  type StoredCodec,
} from './codec/codec-folder.js';
export { KlCodec, type KlCodecOptions } from './codec/kl-codec.js';
export { scaleDistribution } from './codec/latent-scale.js';
export type { ImageSize, LatentShape } from './codec/latent-shape.js';
export { VqCodec, type VqCodecOptions } from './codec/vq-codec.js';
export {
  type CodecConfig,
  type CodecConfigInput,
  codecConfigSchema,
  klCodecSchema,
  latentShapeOf,
  pixelCodecSchema,
  vqCodecSchema,
} from './codec-config.js';
export { createCodec } from './create-codec.js';
export {
  type ActNormParameters,
  type DiscriminatorConfig,
  type DiscriminatorParameters,
  discriminate,
  discriminatorSpec,
  initialActNorm,
} from './discriminator/discriminator.js';
export { firstNotFinite } from './finite.js';
export { type CodeCodec, hasCodes, type ImageCodec, type LatentDistribution } from './image-codec.js';
export { type CodecOf, type OpenCodecOptions, openCodec } from './open-codec.js';
export { PixelCodec } from './pixel-codec.js';
export {
  type CodebookUse,
  codebookUse,
  countCodes,
  type RevivedCodes,
  reviveDeadCodes,
} from './quantiser/codebook-use.js';
export { codeVectors, nearestCodes } from './quantiser/nearest-codes.js';
export { type Quantised, quantiseStraightThrough } from './quantiser/straight-through.js';
export type { CodecMemory } from './streamed/run-steps.js';
