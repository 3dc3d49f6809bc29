/**
 * @file The feed-forward of a block: SwiGLU, one for all positions (the paper), or one for text and one for patches, which is
 * where most of the gain of untied parameters lies (Mixture-of-Transformers, arXiv 2411.04996; and arXiv 2603.03276).
 */
import { swiglu } from '@transfusion/nn';
import { fill, gather, scalar, type Tensor } from '@transfusion/tensor';
import type { BlockParameters } from './parameters.js';

/** Where the patches of a group of images are. */
export interface PatchPlaces {
  /** i32 [B, T]: which of the group's patches (of images * patches) is here; -1 elsewhere. */
  patchIndex: Tensor;
  /** i32 [images, patches]: position of each patch among B * T; -1 in unused slots. */
  patchPositions: Tensor;
}

/** What stands in a call: text, patches, or both. */
export type Modalities = 'text' | 'patches' | MixedModalities;

export interface MixedModalities {
  groups: readonly PatchPlaces[];
  /** `[B, T, 1]`: 1 at text, 0 at patches. */
  isText: Tensor;
}

/** @param hasTokens else every position is a patch */
export function modalitiesOf(groups: readonly PatchPlaces[], hasTokens: boolean): Modalities {
  if (!hasTokens) return 'patches';
  if (groups.length === 0) return 'text';
  const isPatch = groups.map(({ patchIndex, patchPositions: { size } }) => gather(fill([size, 1], 1), patchIndex));
  return { groups, isText: isPatch.reduce((rest, here) => rest.sub(here), scalar(1)) };
}

/** x [B, T, channels], normed, to the same. Patches are brought together, so that each position costs one feed-forward's work. */
export function feedForward(
  { feedForward: text, imageFeedForward: image }: Pick<BlockParameters, 'feedForward' | 'imageFeedForward'>,
  x: Tensor,
  modalities: Modalities,
): Tensor {
  if (!image || modalities === 'text') return swiglu(text, x);
  if (modalities === 'patches') return swiglu(image, x);
  const { groups, isText } = modalities;
  const channels = x.shape.at(-1)!;
  const rows = x.reshape([-1, channels]);
  return groups.reduce((sum, { patchIndex, patchPositions }) => {
    const patches = swiglu(image, gather(rows, patchPositions)); // [images, patches, channels]
    return sum.add(gather(patches.reshape([-1, channels]), patchIndex));
  }, swiglu(text, x).mul(isText));
}
