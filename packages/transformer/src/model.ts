/** @file The Transfusion model (Zhou et al. 2024, section 3): text tokens and image patches through one transformer. */
import { linear, project, rmsNorm, sinusoidalEmbedding } from '@transfusion/nn';
import { checkpoint, gather, type Tensor, TransfusionError } from '@transfusion/tensor';
import { block, type CacheContext, type LayerCache, type ObservedAttention, type SequenceContext } from './block.js';
import { diffusesImages, type ModelConfig } from './config.js';
import { modalitiesOf, type PatchPlaces } from './feed-forward.js';
import type { TransfusionParameters } from './parameters.js';
import { patchCoordinates } from './patch-coordinates.js';
import { createPatcher } from './patchers/create-patcher.js';
import type { Patcher } from './patchers/patcher.js';
import { type RotaryPositions, rotationOf } from './rotary-positions.js';

/** The images of one size in a batch of sequences, and where their patches are. */
export interface ImageGroup extends PatchPlaces {
  /** f32 [images, height, width, latent channels]: noised latents. */
  latents: Tensor;
  /** f32 [images]: diffusion timestep of each. */
  timesteps: Tensor;
}

/** A batch of mixed sequences: B rows of T positions. */
export interface SequenceInputs extends RotaryPositions {
  /** i32 [B, T]: token ids; -1 at patches. Left out: every position is a patch. */
  tokens?: Tensor;
  /** i32 [B, T]: each position sees begin <= key < end: causal for text, to the end of its image for a patch. With a cache these are its rows. */
  begin: Tensor;
  end: Tensor;
  /** A group for each size of images; none in a text-only call. */
  images?: readonly ImageGroup[];
}

export interface ForwardResult {
  /** [B, T, channels], after the final norm. */
  hidden: Tensor;
  /** What `predictLatents` needs of each group. */
  groups: readonly PatchedGroup[];
  /** The cache with this call's keys and values, if one was given. */
  cache: LayerCache[];
}

/** A group on its way through the transformer. */
export interface PatchedGroup {
  patcher: Patcher;
  /** [images, channels] */
  timesteps: Tensor;
  skips: readonly Tensor[];
  /** i32 [images, patches]: see `ImageGroup`. */
  patchPositions: Tensor;
}

export interface ForwardOptions {
  /** Keys and values of earlier positions. */
  cache?: CacheContext;
  /** Compute every block's activations again in the backward pass instead of keeping them. Not with a cache. Default false. */
  checkpointBlocks?: boolean;
  /**
   * Told the attention of every layer, counted from 0, as the graph is traced: what it makes outputs of can be read. Blocks that
   * are observed keep their activations. Default: nobody looks.
   */
  observe?: (layer: number, seen: ObservedAttention) => void;
}

/**
 * Embeds the sequence, runs the backbone. Heads are applied by `languageLogits` and `predictLatents`.
 *
 * @throws TransfusionError MODEL_IMAGES: images are given to a model that does not diffuse them; MODEL_COLUMNS: images without
 *   their columns, in a model with 2-D positions
 */
export function forward(
  config: ModelConfig,
  p: TransfusionParameters,
  inputs: SequenceInputs,
  { cache, checkpointBlocks = false, observe }: ForwardOptions = {},
): ForwardResult {
  const headDim = config.channels / config.heads;
  const { tokens, images = [], columns, begin, end } = inputs;
  if (config.imagePositions === '2d' && images.length > 0 && !columns) {
    throw new TransfusionError({
      code: 'MODEL_COLUMNS',
      message: 'forward: the model has 2-D positions (imagePositions), and the inputs have images but no columns',
      fix: 'pass columns, as packDocuments makes them where it is told imagePositions',
    });
  }
  const context: SequenceContext = {
    headDim,
    normEpsilon: config.normEpsilon,
    norm: config.norm,
    rotate: rotationOf(config, inputs),
    begin,
    end,
    modalities: modalitiesOf(images, tokens !== undefined),
  };
  const { x: embedded, groups } = embed(config, p, inputs);
  let x = embedded;
  const stored: LayerCache[] = [];
  p.blocks.forEach((parameters, i) => {
    if (checkpointBlocks && !observe) {
      const input = x;
      x = checkpoint(() => block(parameters, input, context).x);
      return;
    }
    const result = block(parameters, x, context, {
      cache: cache && { rows: cache.rows, layer: cache.layers[i] },
      observe: observe && ((seen) => observe(i, seen)),
    });
    x = result.x;
    if (result.cache) stored.push(result.cache);
  });
  return { hidden: rmsNorm(p.norm, x, config.normEpsilon), groups, cache: stored };
}

/** [B, T, channels]: embedded tokens, and at patch positions the vectors that the patcher makes of the images. */
function embed(
  config: ModelConfig,
  p: TransfusionParameters,
  { tokens, images = [] }: SequenceInputs,
): { x: Tensor; groups: PatchedGroup[] } {
  if (images.length > 0) checkDiffusesImages(config);
  let x = tokens && gather(p.tokenEmbedding, tokens);
  const groups = images.map(({ latents, timesteps: plain, patchIndex, patchPositions }): PatchedGroup => {
    const [, height, width] = latents.shape;
    const patcher = createPatcher(config, p, { height, width });
    const timesteps = embedTimesteps(config, p, plain);
    const { vectors, skips } = patcher.before(latents, timesteps);
    const placed =
      config.patchCoordinates === 'sinusoidal' ? vectors.add(patchCoordinates({ height, width }, config)) : vectors;
    const here = gather(placed.reshape([-1, config.channels]), patchIndex);
    x = x ? x.add(here) : here;
    return { patcher, timesteps, skips, patchPositions };
  });
  return { x: x!, groups };
}

function checkDiffusesImages(config: ModelConfig): void {
  if (diffusesImages(config)) return;
  throw new TransfusionError({
    code: 'MODEL_IMAGES',
    message: `images are given, and the model has no parts for them: its images are '${config.images}'`,
    fix: "give images as tokens of the sequence, or choose images: 'diffusion'",
  });
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
 * The model's prediction for the images of a group, [images, height, width, latent channels]: hidden states at their patches,
 * through the patcher.
 */
export function predictLatents(hidden: Tensor, { patcher, timesteps, skips, patchPositions }: PatchedGroup): Tensor {
  const channels = hidden.shape.at(-1)!;
  return patcher.after(gather(hidden.reshape([-1, channels]), patchPositions), timesteps, skips);
}
