/** @file The linear patcher: a layer over the values of each patch and one back. */
import {
  type LinearParameters,
  type LinearWeight,
  linear,
  linearSpec,
  linearWeight,
  type ParameterSpec,
  project,
} from '@transfusion/nn';
import type { Tensor } from '@transfusion/tensor';
import type { LinearPatcherConfig } from './config.js';
import type { LatentSize, Patcher, PatcherSizes } from './patcher.js';

export interface LinearPatcherParameters<T = Tensor> {
  /** [bottleneck, patch values], with a bottleneck only. */
  patchBottleneck?: LinearWeight<T>;
  /** Patch values, or the bottleneck's -> channels. */
  patchIn: LinearParameters<T>;
  /** Channels -> patch values. */
  patchOut: LinearParameters<T>;
}

/** The way out starts at zero. */
export function linearPatcherSpec(
  { bottleneck }: LinearPatcherConfig,
  { channels, patchValues }: PatcherSizes,
): LinearPatcherParameters<ParameterSpec> {
  const layer = (inputs: number) => linearSpec({ inputs, outputs: channels, std: 1 / Math.sqrt(inputs) });
  const narrow =
    bottleneck === null ? {} : { patchBottleneck: linearWeight([bottleneck, patchValues], patchValues ** -0.5) };
  return {
    ...narrow,
    patchIn: layer(bottleneck ?? patchValues),
    patchOut: linearSpec({ inputs: channels, outputs: patchValues, std: 0 }),
  };
}

/** A linear layer over the values of each patch, the timestep added; and one back. */
export function linearPatcher(p: LinearPatcherParameters, patchSize: number, size: LatentSize): Patcher {
  return {
    before(latents, timesteps) {
      const [images, channels] = timesteps.shape;
      const patches = patchify(latents, patchSize);
      const vectors = linear(p.patchIn, p.patchBottleneck ? project(p.patchBottleneck, patches) : patches);
      return { vectors: vectors.add(timesteps.reshape([images, 1, channels])), skips: [] };
    },
    after: (hidden) => unpatchify(linear(p.patchOut, hidden), { ...size, patchSize }),
  };
}

/** Images [images, height, width, channels] -> [images, patches, patchSize * patchSize * channels]: values in (y, x, channel) order. */
export function patchify(latents: Tensor, patchSize: number): Tensor {
  const [images, height, width, channels] = latents.shape;
  const [rows, columns] = [height / patchSize, width / patchSize];
  return latents
    .reshape([images, rows, patchSize, columns, patchSize * channels])
    .permute([0, 1, 3, 2, 4])
    .reshape([images, rows * columns, patchSize * patchSize * channels]);
}

/** The inverse of `patchify`. */
export function unpatchify(patches: Tensor, { height, width, patchSize }: LatentSize & { patchSize: number }): Tensor {
  const [images, , values] = patches.shape;
  const [rows, columns] = [height / patchSize, width / patchSize];
  const channels = values / patchSize ** 2;
  return patches
    .reshape([images, rows, columns, patchSize, patchSize * channels])
    .permute([0, 1, 3, 2, 4])
    .reshape([images, height, width, channels]);
}
