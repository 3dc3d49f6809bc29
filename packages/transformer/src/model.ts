/** @file The Transfusion model (Zhou et al. 2024, section 3): text tokens and image patches through one transformer. */
import { linear, project, rmsNorm, sinusoidalEmbedding } from '@transfusion/nn';
import { checkpoint, gather, ropeTable, type Tensor } from '@transfusion/tensor';
import { block, type CacheContext, type LayerCache, type SequenceContext } from './block.js';
import type { ModelConfig } from './config.js';
import type { TransfusionParameters } from './parameters.js';

/** A batch of mixed sequences. B rows of T positions; `images` images in all, of `patches` patches each. */
export interface SequenceInputs {
  /** i32 [B, T]: token ids; -1 at patches. */
  tokens: Tensor;
  /** i32 [B, T]: which patch (of images * patches) is here; -1 at tokens. */
  patchIndex: Tensor;
  /** i32 [B, T]: rotary positions. */
  positions: Tensor;
  /** i32 [B, T]: each position sees begin <= key < end: causal for text, to the end of its image for a patch. */
  begin: Tensor;
  end: Tensor;
  /** f32 [images, patches, patchValues]: noised latents, patchified. Absent in a text-only call. */
  patches?: Tensor;
  /** f32 [images]: diffusion timestep of each image. */
  timesteps?: Tensor;
}

export interface ForwardResult {
  /** [B, T, channels], after the final norm. */
  hidden: Tensor;
  /** The cache with this call's keys and values, if one was given. */
  cache: LayerCache[];
}

export interface ForwardOptions {
  /** Keys and values of earlier positions. */
  cache?: CacheContext;
  /** Compute every block's activations again in the backward pass instead of keeping them. Not with a cache. Default false. */
  checkpointBlocks?: boolean;
}

/** Embeds the sequence, runs the backbone. Heads are applied by `languageLogits` and `predictPatches`. */
export function forward(
  config: ModelConfig,
  p: TransfusionParameters,
  inputs: SequenceInputs,
  { cache, checkpointBlocks = false }: ForwardOptions = {},
): ForwardResult {
  const headDim = config.channels / config.heads;
  const { positions, begin, end } = inputs;
  const context: SequenceContext = {
    headDim,
    normEpsilon: config.normEpsilon,
    ropeTable: ropeTable({ positions: config.maxPositions, headDim, theta: config.ropeTheta }),
    positions,
    begin,
    end,
  };
  let x = embed(config, p, inputs);
  const stored: LayerCache[] = [];
  p.blocks.forEach((parameters, i) => {
    if (checkpointBlocks) {
      const input = x;
      x = checkpoint(() => block(parameters, input, context).x);
      return;
    }
    const result = block(parameters, x, context, cache && { rows: cache.rows, layer: cache.layers[i] });
    x = result.x;
    if (result.cache) stored.push(result.cache);
  });
  return { hidden: rmsNorm(p.norm, x, config.normEpsilon), cache: stored };
}

/** [B, T, channels]: embedded tokens, and at patch positions the linear patchifier's vectors plus the timestep's. */
function embed(config: ModelConfig, p: TransfusionParameters, inputs: SequenceInputs): Tensor {
  const text = gather(p.tokenEmbedding, inputs.tokens);
  if (!inputs.patches || !inputs.timesteps) return text;
  const [images, count] = inputs.patches.shape;
  const time = embedTimesteps(config, p, inputs.timesteps).reshape([images, 1, config.channels]);
  const vectors = linear(p.patchIn, inputs.patches).add(time);
  return text.add(gather(vectors.reshape([images * count, config.channels]), inputs.patchIndex));
}

/** Timesteps [images] -> [images, channels]: sinusoid, linear, SiLU, linear (as in DiT). */
function embedTimesteps(config: ModelConfig, p: TransfusionParameters, timesteps: Tensor): Tensor {
  const { first, second } = p.timestepEmbedding;
  return linear(second, linear(first, sinusoidalEmbedding(timesteps, config.timestepDimensions)).silu());
}

/** Next-token logits [..., vocabulary] of hidden states [..., channels]. */
export function languageLogits(p: TransfusionParameters, hidden: Tensor): Tensor {
  return project(p.languageHead, hidden);
}

/**
 * The model's prediction for patches, [images, patches, patchValues]: hidden states at `patchPositions`
 * (i32 [images, patches], positions among B * T; -1 for unused slots) through the output linear.
 */
export function predictPatches(p: TransfusionParameters, hidden: Tensor, patchPositions: Tensor): Tensor {
  const channels = hidden.shape.at(-1)!;
  return linear(p.patchOut, gather(hidden.reshape([-1, channels]), patchPositions));
}
