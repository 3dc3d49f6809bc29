/** @file Networks that run: pictures and texts, any number of them, to vectors. */
import { describeKind, TransfusionError } from '@transfusion/core';
import type { RgbImage } from '@transfusion/data';
import { createParameters } from '@transfusion/nn';
import { type Backend, compile, f32, flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import type { ClassifierConfig, DualEncoderConfig, EncoderConfig } from './config.js';
import {
  type ClassifierParameters,
  classifyImages,
  type DualEncoderParameters,
  embedImages,
  embedTexts,
  encoderSpec,
} from './networks.js';
import type { StoredEncoder } from './stored-encoder.js';
import { packTexts, textIds, textInputs } from './text-tokens.js';

/** Pictures or texts of one run. */
const DEFAULT_BATCH = 64;

export interface OpenEncoderOptions {
  /** Whoever opens it disposes of it, after the network. */
  backend: Backend;
  encoder: StoredEncoder;
  /** Pictures or texts of one run; default 64. Memory grows with it; results do not depend on it but for rounding. */
  maxBatch?: number;
}

export interface ImageEncoder {
  readonly config: EncoderConfig;
  /** Length of a picture's vector. */
  readonly features: number;
  /**
   * Pictures of the network's size (`config.image.imageSize`) -> [n, features]: of a dual encoder embeddings of length 1, of a
   * classifier what its head sees.
   *
   * @throws TransfusionError ENCODER_IMAGE
   */
  encodeImages(images: readonly RgbImage[]): Promise<Float32Array>;
  /** Frees the weights. */
  dispose(): void;
}

export interface DualEncoder extends ImageEncoder {
  readonly config: DualEncoderConfig;
  /** Texts -> [n, features], of length 1: the similarity to a picture is the product of both. What is beyond `maxTokens` is cut off. */
  encodeTexts(texts: readonly string[]): Promise<Float32Array>;
}

export interface ImageClassifier extends ImageEncoder {
  readonly config: ClassifierConfig;
  /** The probabilities of the classes, in the order of `config.classes`: [n, classes]. @throws TransfusionError ENCODER_IMAGE */
  classify(images: readonly RgbImage[]): Promise<Float32Array>;
}

/** A network of either kind, for the features of pictures. @throws TransfusionError ENCODER_OPTIONS; OutOfMemoryError */
export function openImageEncoder(options: OpenEncoderOptions): Promise<ImageEncoder> {
  const { model_type } = options.encoder.config;
  return model_type === 'dual-encoder' ? openDualEncoder(options) : openImageClassifier(options);
}

/** @throws TransfusionError ENCODER_KIND: it is a classifier; ENCODER_OPTIONS; OutOfMemoryError */
export async function openDualEncoder(options: OpenEncoderOptions): Promise<DualEncoder> {
  const { config, tokenizer } = options.encoder;
  if (config.model_type !== 'dual-encoder' || !tokenizer) throw wrongKind('openDualEncoder', config, 'dual-encoder');
  const { backend, batch, state, free } = place<DualEncoderParameters<Variable>>(options);
  const { maxTokens } = config.text;
  const images = await compile({
    ...{ backend, state, name: 'embed images', inputs: { images: imageInput(config, batch) } },
    fn: (inputs, p) => ({ outputs: { vectors: embedImages(config, p, inputs.images) } }),
  });
  const texts = await compile({
    ...{ backend, state, name: 'embed texts', inputs: textInputs(batch, maxTokens) },
    fn: (inputs, p) => ({ outputs: { vectors: embedTexts(config, p, inputs) } }),
  });
  const features = config.embedding;
  return {
    ...{ config, features },
    async encodeImages(given) {
      const pixels = checkedPixels('encodeImages', config, given);
      const run = async (part: readonly Float32Array[]) =>
        (await images.run({ images: together(part, batch, config) })).vectors;
      return inBatches(pixels, { batch, features, run });
    },
    async encodeTexts(given) {
      const ids = given.map((text) => textIds(tokenizer, text, maxTokens));
      const run = async (part: readonly number[][]) => (await texts.run(packTexts(part, { batch, maxTokens }))).vectors;
      return inBatches(ids, { batch, features, run });
    },
    dispose() {
      images.dispose();
      texts.dispose();
      free();
    },
  };
}

/** @throws TransfusionError ENCODER_KIND: it is a dual encoder; ENCODER_OPTIONS; OutOfMemoryError */
export async function openImageClassifier(options: OpenEncoderOptions): Promise<ImageClassifier> {
  const { config } = options.encoder;
  if (config.model_type !== 'image-classifier') throw wrongKind('openImageClassifier', config, 'image-classifier');
  const { backend, batch, state, free } = place<ClassifierParameters<Variable>>(options);
  const features = config.image.channels.at(-1)!;
  const network = await compile({
    ...{ backend, state, name: 'classify images', inputs: { images: imageInput(config, batch) } },
    fn: (inputs, p) => {
      const { features, logits } = classifyImages(p, inputs.images);
      return { outputs: { features, probabilities: logits.softmax() } };
    },
  });
  const run = (method: string, images: readonly RgbImage[], output: 'features' | 'probabilities', length: number) =>
    inBatches(checkedPixels(method, config, images), {
      ...{ batch, features: length },
      run: async (part) => (await network.run({ images: together(part, batch, config) }))[output],
    });
  return {
    ...{ config, features },
    encodeImages: (images) => run('encodeImages', images, 'features', features),
    classify: (images) => run('classify', images, 'probabilities', config.classes.length),
    dispose() {
      network.dispose();
      free();
    },
  };
}

/** Weights on a backend. */
function place<Parameters>({ backend, encoder, maxBatch = DEFAULT_BATCH }: OpenEncoderOptions) {
  if (!Number.isInteger(maxBatch) || maxBatch < 1) {
    throw new TransfusionError({
      code: 'ENCODER_OPTIONS',
      message: `maxBatch is ${maxBatch}, expected a whole number from 1`,
      fix: 'leave the option out for its default',
    });
  }
  const values = new Map([...encoder.tensors].map(([name, { data }]) => [name, data]));
  const state = createParameters(backend, encoderSpec(encoder.config), values) as Parameters;
  const free = () => {
    for (const variable of flattenTree<Variable>(state, isVariable).values()) variable.destroy();
  };
  return { backend, batch: maxBatch, state, free };
}

function imageInput({ image: { imageSize } }: EncoderConfig, batch: number) {
  return f32(batch, imageSize, imageSize, 3);
}

/** Pictures as the first of a batch. */
function together(pixels: readonly Float32Array[], batch: number, { image }: EncoderConfig): Float32Array {
  const length = 3 * image.imageSize ** 2;
  const all = new Float32Array(batch * length);
  pixels.forEach((each, i) => all.set(each, i * length));
  return all;
}

/** [items, features], a batch at a time; what a batch has beyond its items is dropped. */
async function inBatches<Item>(
  items: readonly Item[],
  options: { batch: number; features: number; run: (part: readonly Item[]) => Promise<Float32Array> },
): Promise<Float32Array> {
  const { batch, features, run } = options;
  const all = new Float32Array(items.length * features);
  for (let start = 0; start < items.length; start += batch) {
    const part = items.slice(start, start + batch);
    all.set((await run(part)).subarray(0, part.length * features), start * features);
  }
  return all;
}

function checkedPixels(method: string, { image }: EncoderConfig, images: readonly RgbImage[]): Float32Array[] {
  const side = image.imageSize;
  return images.map(({ width, height, data }, i) => {
    const name = `${method}: images[${i}]`;
    if (width !== side || height !== side || data?.length !== 3 * side * side) {
      const found = data?.length === 3 * width * height ? '' : `, with ${data?.length ?? describeKind(data)} values`;
      throw new TransfusionError({
        code: 'ENCODER_IMAGE',
        message: `${name} is ${width} x ${height}${found}; the network takes ${side} x ${side}, three channels`,
        fix: `resize it, by resizeImage of @transfusion/data; bytes become numbers by imageOf`,
      });
    }
    const wrong = data.findIndex((value) => !Number.isFinite(value));
    if (wrong < 0) return data;
    throw new TransfusionError({
      code: 'ENCODER_IMAGE',
      message: `${name} has ${data[wrong]} at value ${wrong}, expected numbers in [-1, 1]`,
      fix: 'look at what made this picture',
    });
  });
}

function wrongKind(method: string, { model_type }: EncoderConfig, wanted: EncoderConfig['model_type']) {
  const without = model_type === wanted ? ' without a tokenizer' : '';
  return new TransfusionError({
    code: 'ENCODER_KIND',
    message: `${method}: the network is of the kind ${model_type}${without}, expected ${wanted}`,
    fix: without ? 'read it by readEncoder, with its tokenizer.json' : 'for features of either kind: openImageEncoder',
  });
}
