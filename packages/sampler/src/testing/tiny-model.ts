/** @file A tiny model with random weights, for tests. */
import { type ImageSize, imageSizeToken, type RgbImage } from '@transfusion/data';
import { isParameterSpec, type ParameterSpec } from '@transfusion/nn';
import { type Backend, createVariable, mapTree, PhiloxStream, type Variable } from '@transfusion/tensor';
import { type ModelConfigInput, type TransfusionParameters, transfusionSpec } from '@transfusion/transformer';
import { createCodec } from '@transfusion/vae';
import { byteTokenizer } from '../../../tokenizer/src/testing/byte-tokenizer.js';
import {
  defaultImageSize,
  imageSizes,
  type PipelineConfig,
  type PipelineConfigInput,
  pipelineConfigSchema,
} from '../config.js';
import { createSampler } from '../sampler.js';

/** Images of 4 x 4 in 4 patches; grouped key and value heads. */
export function tinyConfig(changes: Partial<PipelineConfigInput> = {}): PipelineConfig {
  return pipelineConfigSchema.parse({
    format: 'transfusion',
    version: 2,
    model: {
      vocabularySize: 264,
      layers: 2,
      channels: 16,
      heads: 4,
      kvHeads: 2,
      feedForward: 24,
      patchSize: 2,
      patchValues: 12,
      maxPositions: 64,
      timestepDimensions: 8,
      initializerStd: 0.4,
    },
    image: { size: 4 },
    sampling: { steps: 4 },
    ...changes,
  });
}

/** The same with other choices of the model. */
export function variantConfig(changes: Partial<ModelConfigInput>): PipelineConfig {
  return tinyConfig({ model: { ...tinyConfig().model, ...changes } });
}

/** Weights with nothing at zero: neither the prediction head nor a bias hides what goes into it. */
export function tinyWeights(config: PipelineConfig, seed = 1): Map<string, { shape: number[]; data: Float32Array }> {
  const spec = transfusionSpec(config.model);
  const weights = new Map<string, { shape: number[]; data: Float32Array }>();
  let index = 0;
  mapTree(spec, isParameterSpec, (parameter: ParameterSpec, path: string) => {
    const random = new PhiloxStream(seed, 1, index++);
    const data = Float32Array.from({ length: parameter.shape.reduce((a, b) => a * b, 1) }, () => 0.3 * random.normal());
    if (path.endsWith('orm')) data.forEach((value, i) => (data[i] = 1 + 0.3 * value));
    weights.set(path, { shape: [...parameter.shape], data });
  });
  return weights;
}

export function tinyParameters(backend: Backend, config: PipelineConfig, seed = 1): TransfusionParameters<Variable> {
  const weights = tinyWeights(config, seed);
  return mapTree(transfusionSpec(config.model), isParameterSpec, (parameter, path) =>
    createVariable(backend, { shape: parameter.shape, data: weights.get(path)!.data }),
  );
}

export function tinySampler(backend: Backend, config = tinyConfig(), seed = 1, concurrency?: number) {
  return createSampler({
    backend,
    config,
    concurrency,
    parameters: tinyParameters(backend, config, seed),
    tokenizer: tokenizerOf(config),
    codec: createCodec(config.codec),
  });
}

/** A sampler that wants nothing but one token: all tokens' embeddings have a large first channel, all the head looks at. */
export function singleMindedSampler(backend: Backend, id: number, config = tinyConfig()) {
  const parameters = singleMindedParameters(backend, id, config);
  return createSampler({
    ...{ backend, config, parameters },
    ...{ tokenizer: tokenizerOf(config), codec: createCodec(config.codec) },
  });
}

export function singleMindedParameters(backend: Backend, id: number, config = tinyConfig()) {
  const { channels, vocabularySize } = config.model;
  const parameters = tinyParameters(backend, config);
  const embedding = tinyWeights(config).get('tokenEmbedding')!.data;
  for (let token = 0; token < vocabularySize; token++) embedding[token * channels] = 1000;
  const head = new Float32Array(vocabularySize * channels);
  head[id * channels] = 1;
  parameters.tokenEmbedding.write(embedding);
  parameters.languageHead.write(head);
  return parameters;
}

/** Images of 4 x 4, 8 x 4 and 4 x 8, in 4 and in 8 patches; announced unless told otherwise. */
export function severalSizes(changes: Partial<PipelineConfigInput['image']> = {}): PipelineConfig {
  const sizes = [
    { width: 4, height: 4 },
    { width: 8, height: 4 },
    { width: 4, height: 8 },
  ];
  return tinyConfig({ image: { size: 4, sizes, announced: true, ...changes } });
}

/** With the tokens of the sizes that the configuration announces. */
export function tokenizerOf({ image }: PipelineConfig) {
  return byteTokenizer(image.announced ? imageSizes(image).map(imageSizeToken) : []);
}

/** A picture of deterministic values. */
export function testPicture(seed: number, size: ImageSize = defaultImageSize(tinyConfig().image)): RgbImage {
  const { width, height } = size;
  return { width, height, data: testImage(seed, size) };
}

/** Deterministic values in [-1, 1]. */
export function testImage(seed: number, size: ImageSize = defaultImageSize(tinyConfig().image)): Float32Array {
  return Float32Array.from({ length: size.width * size.height * 3 }, (_, i) => Math.sin(1 + i * 1.7 + seed * 5.1));
}

export { byteTokenizer, byteTokenizerJson } from '../../../tokenizer/src/testing/byte-tokenizer.js';
