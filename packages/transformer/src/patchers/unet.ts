/**
 * @file The U-Net patcher (paper section 3.2; Shi et al. 2024, arXiv 2412.15188, equations 6 and 14): its way down is before the
 * transformer, its way up behind it, and the way up reads what the way down left.
 *
 *   latents -> conv_in -> residual blocks, halving -> ... -> residual blocks -> proj -> the transformer
 *   latents <- conv_out <- doubling, residual blocks <- ... <- residual blocks <- proj <-'
 *
 * As diffusers' UNet2DModel, without its middle: that is the transformer. The timestep's embedding is added in every residual
 * block; norms are plain (the paper's footnote 7 replaces adaptive ones by "regular layer norm"; group norm is what
 * such U-Nets have without the adaptive part, and the default here).
 */
import {
  convolution,
  downsample,
  type GroupNormOptions,
  imageAttention,
  linear,
  normSilu,
  resnet,
  upsample,
} from '@transfusion/nn';
import { concat, type Tensor } from '@transfusion/tensor';
import type { UnetPatcherConfig } from './config.js';
import type { LatentSize, Patcher } from './patcher.js';
import type { UnetBlockParameters, UnetParameters } from './unet-parameters.js';

export function unetPatcher(
  config: UnetPatcherConfig,
  p: UnetParameters,
  { height, width, patchSize }: LatentSize & { patchSize: number },
): Patcher {
  const [rows, columns] = [height / patchSize, width / patchSize];
  const { headDim } = config;
  const norm: GroupNormOptions = config.norm === 'layer' ? { groups: 1, perPosition: true } : { groups: config.groups };

  /** The i-th residual block of a level, and its attention. */
  const layer = ({ resnets, attentions }: UnetBlockParameters, i: number, x: Tensor, timesteps: Tensor): Tensor => {
    const y = resnet(resnets[i], x, norm, timesteps);
    return attentions ? imageAttention(attentions[i], y, { ...norm, headDim }) : y;
  };

  return {
    before(latents, timesteps) {
      let x = convolution(p.in.conv_in, latents, { padding: 1 }); // [I, H, W, finest width]
      const skips = [x];
      for (const block of p.in.down_blocks) {
        block.resnets.forEach((_, i) => {
          x = layer(block, i, x, timesteps);
          skips.push(x);
        });
        for (const each of block.downsamplers ?? []) {
          x = downsample(each, x);
          skips.push(x);
        }
      }
      const [images, , , coarsest] = x.shape;
      return { vectors: linear(p.in.proj, x.reshape([images, rows * columns, coarsest])), skips };
    },
    after(hidden, timesteps, skips) {
      const left = [...skips];
      let x = linear(p.out.proj, hidden).reshape([hidden.shape[0], rows, columns, -1]);
      for (const block of p.out.up_blocks) {
        block.resnets.forEach((_, i) => {
          x = layer(block, i, concat([x, left.pop()!], -1), timesteps);
        });
        for (const each of block.upsamplers ?? []) x = upsample(each, x);
      }
      return convolution(p.out.conv_out, normSilu(p.out.conv_norm_out, x, norm), { padding: 1 });
    },
  };
}
