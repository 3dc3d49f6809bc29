/** @file The sampler: a trained model ready to write and to draw. */
import { TransfusionError } from '@transfusion/core';
import type { Backend, Variable } from '@transfusion/tensor';
import type { TransfusionParameters } from '@transfusion/transformer';
import type { ImageCodec } from '@transfusion/vae';
import { type CaptionImagesOptions, captionImages } from './caption-images.js';
import { imageLayout, type PipelineConfig } from './config.js';
import { type DrawImagesOptions, drawImages } from './draw-images.js';
import { type GenerateOptions, generate, type SamplerEvent } from './generate.js';
import type { Pipeline, SamplerTokenizer } from './pipeline.js';
import { SequencePool } from './sequence-pool.js';

export interface SamplerOptions {
  backend: Backend;
  config: PipelineConfig;
  /** Stay the caller's: they may be trained on between two calls, and are not destroyed by `dispose`. */
  parameters: TransfusionParameters<Variable>;
  tokenizer: SamplerTokenizer;
  codec: ImageCodec;
}

export interface Sampler {
  readonly config: PipelineConfig;
  /**
   * Continues a document of texts and images: writes tokens, and draws an image where the model begins one (or, with
   * `forceImage`, at once). The iterator may be left at any time. The same options give the same document.
   *
   * @throws TransfusionError SAMPLER_OPTIONS, SAMPLER_CONTEXT (the prompt is longer than the model's context),
   *   CODEC_SHAPE, SAMPLER_LOGITS, SAMPLER_NOT_FINITE
   * @throws TransfusionError SCHEDULER_STEPS_RANGE, SCHEDULER_CONFIG_INVALID
   */
  generate(options: GenerateOptions): AsyncIterable<SamplerEvent>;
  /**
   * An image [size, size, 3] in [-1, 1] for each caption. Image 0 is the one that `generate` with `forceImage` draws.
   *
   * @throws as `generate`
   */
  drawImages(options: DrawImagesOptions): Promise<Float32Array[]>;
  /**
   * The most likely caption of each image, greedily.
   *
   * @throws as `generate`
   */
  captionImages(options: CaptionImagesOptions): Promise<string[]>;
  /** Frees the caches and the compiled functions. */
  dispose(): void;
}

/** @throws TransfusionError SAMPLER_TOKENIZER, SAMPLER_CODEC: a part does not fit the configuration */
export function createSampler(options: SamplerOptions): Sampler {
  const { backend, config, parameters, tokenizer, codec } = options;
  checkParts(options);
  const layout = imageLayout(config);
  const pool = new SequencePool({ backend, config: config.model, parameters, latent: layout.latent });
  const pipeline: Pipeline = { config, layout, tokenizer, codec, pool };
  return {
    config,
    generate: (given) => generate(pipeline, given),
    drawImages: (given) => drawImages(pipeline, given),
    captionImages: (given) => captionImages(pipeline, given),
    dispose: () => pool.dispose(),
  };
}

function checkParts({ config, tokenizer, codec }: SamplerOptions): void {
  if (tokenizer.vocabularySize > config.model.vocabularySize) {
    throw new TransfusionError({
      code: 'SAMPLER_TOKENIZER',
      message: `the tokenizer has ${tokenizer.vocabularySize} ids, the model's vocabulary ${config.model.vocabularySize}`,
      fix: 'use the tokenizer that the model was trained with',
    });
  }
  if (codec.config.kind !== config.codec.kind) {
    throw new TransfusionError({
      code: 'SAMPLER_CODEC',
      message: `the codec is ${codec.config.kind}, the model was trained on ${config.codec.kind}`,
      fix: 'use openCodec({ backend, config: config.codec, weights })',
    });
  }
}
