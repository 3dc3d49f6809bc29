/** @file The sampler: a trained model ready to write and to draw. */
import { TransfusionError } from '@transfusion/core';
import type { CodeIds, RgbImage } from '@transfusion/data';
import type { Backend } from '@transfusion/tensor';
import type { ModelVariables } from '@transfusion/transformer';
import type { ImageCodec } from '@transfusion/vae';
import { z } from 'zod';
import { type CaptionImagesOptions, captionImages } from './caption-images.js';
import { imageCodes, type PipelineConfig, textVocabularySize } from './config.js';
import { type DrawImagesOptions, drawImages } from './draw-images.js';
import { type EditImagesOptions, editImages } from './edit-images.js';
import { type GenerateOptions, generate, type SamplerEvent } from './generate.js';
import { announcingTokens, ImageFormats } from './image-formats.js';
import { parseOptions } from './parse-options.js';
import type { Pipeline, SamplerTokenizer } from './pipeline.js';
import { SequencePool } from './sequence-pool.js';
import { SharedBatch } from './shared-batch.js';

const concurrencySchema = z.object({ slots: z.int().min(1).max(256) });

export interface SamplerOptions {
  backend: Backend;
  config: PipelineConfig;
  /** Stay the caller's: they may be trained on between two calls, and are not destroyed by `dispose`. */
  parameters: ModelVariables;
  tokenizer: SamplerTokenizer;
  codec: ImageCodec;
  /**
   * Calls of `generate` that go on at the same time share the model's runs, so many of them; others wait until one has ended. What
   * each gives has the same bits whatever the others do. Default: each has its own.
   */
  concurrency?: number;
}

export interface Sampler {
  readonly config: PipelineConfig;
  /**
   * Continues a document of texts and images: writes tokens, and draws an image where the model begins one (or, with
   * `forceImage`, at once). The iterator may be left at any time. The same options give the same document.
   *
   * @throws TransfusionError SAMPLER_OPTIONS, SAMPLER_CONTEXT (the prompt is longer than the model's context),
   *   SAMPLER_IMAGE_SIZE, CODEC_SHAPE, SAMPLER_LOGITS, SAMPLER_NOT_FINITE, SAMPLER_NO_IMAGES (images of a plain language model)
   * @throws TransfusionError SCHEDULER_STEPS_RANGE, SCHEDULER_CONFIG_INVALID
   */
  generate(options: GenerateOptions): AsyncIterable<SamplerEvent>;
  /**
   * An image for each caption. Image 0 is the one that `generate` with `forceImage` draws.
   *
   * @throws as `generate`
   */
  drawImages(options: DrawImagesOptions): Promise<RgbImage[]>;
  /**
   * Each image [size, size, 3] in [-1, 1], edited as its prompt says. Guidance leads away from what goes with the image alone,
   * whatever the prompt. Edit 0 is what `generate` with `forceImage` draws after the image and the text, where guidance is 1.
   *
   * @throws as `generate`
   */
  editImages(options: EditImagesOptions): Promise<RgbImage[]>;
  /**
   * The most likely caption of each image, as far as a search with `beams` finds it; without, greedily (the paper, section 4.1).
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
  const sizeTokens = announcingTokens(config, tokenizer, { where: 'the tokenizer', code: 'SAMPLER_TOKENIZER' });
  const formats = new ImageFormats(config, tokenizer, sizeTokens);
  const codes = imageCodes(config);
  const pool = new SequencePool({ backend, config: config.model, parameters, codes });
  const documents = shareRuns(options, codes);
  const pipeline: Pipeline = { config, formats, tokenizer, codec, pool, codes, shared: documents?.get };
  return {
    config,
    generate: (given) => generate(pipeline, given),
    drawImages: (given) => drawImages(pipeline, given),
    editImages: (given) => editImages(pipeline, given),
    captionImages: (given) => captionImages(pipeline, given),
    dispose: () => {
      pool.dispose();
      documents?.dispose();
    },
  };
}

/** A batch for documents that are written at the same time, made when it is first needed. */
function shareRuns({ backend, config, parameters, concurrency }: SamplerOptions, codes?: CodeIds) {
  if (concurrency === undefined) return undefined;
  const { slots } = parseOptions('createSampler', concurrencySchema, { slots: concurrency });
  let made: SharedBatch | undefined;
  return {
    get: () => {
      made ??= new SharedBatch({ backend, config: config.model, parameters, codes, slots });
      return made;
    },
    dispose: () => made?.dispose(),
  };
}

function checkParts({ config, tokenizer, codec }: SamplerOptions): void {
  const textIds = textVocabularySize(config);
  if (tokenizer.vocabularySize > textIds) {
    const forText = textIds < config.model.vocabularySize ? ' for text' : '';
    throw new TransfusionError({
      code: 'SAMPLER_TOKENIZER',
      message: `the tokenizer has ${tokenizer.vocabularySize} ids, the model's vocabulary ${textIds}${forText}`,
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
