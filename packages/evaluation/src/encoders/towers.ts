/** @file The two towers: pictures and texts to vectors, by one transformer without causality. */
import {
  type LinearParameters,
  linear,
  linearSpec,
  type ParameterSpec,
  rmsNorm,
  vector,
  weight,
} from '@transfusion/nn';
import { constant, gather, type Tensor } from '@transfusion/tensor';
import { type BlockParameters, block, blockSpec, modelConfigSchema, patchify } from '@transfusion/transformer';
import type { TextConfig, VisionConfig } from './config.js';

const NORM_EPSILON = 1e-5;
const INITIAL_STD = 0.05;
const POSITION_STD = 0.02;

interface TransformerParameters<T = Tensor> {
  /** [positions, channels], learned. */
  positions: T;
  blocks: BlockParameters<T>[];
  norm: T;
}

export interface VisionParameters<T = Tensor> extends TransformerParameters<T> {
  /** The values of a patch -> channels. */
  patchIn: LinearParameters<T>;
}

export interface TextParameters<T = Tensor> extends TransformerParameters<T> {
  /** [vocabulary, channels] */
  tokenEmbedding: T;
}

type TransformerSizes = Pick<VisionConfig, 'channels' | 'layers' | 'heads' | 'feedForward'>;

function transformerSpec(
  { channels, layers, heads, feedForward }: TransformerSizes,
  positions: number,
): TransformerParameters<ParameterSpec> {
  // The blocks are those of a plain language model of this size.
  const sizes = { channels, layers, heads, feedForward, initializerStd: INITIAL_STD };
  const model = modelConfigSchema.parse({ ...sizes, images: 'none', vocabularySize: 1 });
  return {
    positions: weight([positions, channels], POSITION_STD),
    blocks: Array.from({ length: layers }, () => blockSpec(model)),
    norm: vector(channels, 1),
  };
}

export function visionSpec(config: VisionConfig): VisionParameters<ParameterSpec> {
  const { imageSize, patchSize, channels } = config;
  const inputs = 3 * patchSize ** 2;
  return {
    patchIn: linearSpec({ inputs, outputs: channels, std: 1 / Math.sqrt(inputs) }),
    ...transformerSpec(config, (imageSize / patchSize) ** 2),
  };
}

export function textSpec(config: TextConfig): TextParameters<ParameterSpec> {
  const { vocabularySize, channels, maxTokens } = config;
  return {
    tokenEmbedding: weight([vocabularySize, channels], INITIAL_STD),
    ...transformerSpec(config, maxTokens),
  };
}

/** x [batch, positions, channels] and the learned positions through all blocks; each position sees those before `end` [batch, positions]. */
function transform(config: TransformerSizes, p: TransformerParameters, x: Tensor, end: Tensor): Tensor {
  const [batch, count] = x.shape;
  const context = {
    ...{ headDim: config.channels / config.heads, normEpsilon: NORM_EPSILON, norm: 'pre' as const },
    ...{ begin: constant(new Int32Array(batch * count), [batch, count]), end },
    // Positions are learned: queries and keys are not turned.
    rotate: (queriesOrKeys: Tensor) => queriesOrKeys,
    modalities: 'text' as const,
  };
  const deep = p.blocks.reduce((h, parameters) => block(parameters, h, context).x, x.add(p.positions));
  return rmsNorm(p.norm, deep, NORM_EPSILON);
}

/** Pictures [batch, side, side, 3] in [-1, 1] -> [batch, channels]: the mean over all patches. */
export function imageFeatures(config: VisionConfig, p: VisionParameters, images: Tensor): Tensor {
  const patches = linear(p.patchIn, patchify(images, config.patchSize)); // [B, N, C]
  const [batch, count] = patches.shape;
  const end = constant(new Int32Array(batch * count).fill(count), [batch, count]);
  return transform(config, p, patches, end).mean(1);
}

export interface TextInputs<T = Tensor> {
  /** i32 [batch, maxTokens]: ids with the end token behind them; -1 beyond. */
  tokens: T;
  /** i32 [batch, maxTokens]: at every position of a row, how many tokens the text has. */
  end: T;
  /** i32 [batch]: the place of each text's end token in the flattened rows. */
  last: T;
}

/** Texts -> [batch, channels]: what stands at the end token, which has seen all of its text. */
export function textFeatures(config: TextConfig, p: TextParameters, { tokens, end, last }: TextInputs): Tensor {
  const hidden = transform(config, p, gather(p.tokenEmbedding, tokens), end); // [B, T, C]
  return gather(hidden.reshape([-1, config.channels]), last);
}
