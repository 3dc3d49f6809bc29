/** @file The parameters of the U-Net patcher: names are those of diffusers' UNet2DModel, filters [height, width, inputs, outputs]. */
import {
  type ConvolutionParameters,
  convolutionSpec,
  type ImageAttentionParameters,
  imageAttentionSpec,
  type LinearParameters,
  linearSpec,
  type NormParameters,
  normSpec,
  type ParameterSpec,
  type ResnetParameters,
  resnetSpec,
  type SamplerParameters,
  samplerSpec,
} from '@transfusion/nn';
import type { Tensor } from '@transfusion/tensor';
import { type UnetLevel, type UnetPatcherConfig, unetLevels } from './config.js';
import type { PatcherSizes } from './patcher.js';

/** A level on the way down or up. */
export interface UnetBlockParameters<T = Tensor> {
  resnets: ResnetParameters<T>[];
  /** One after each residual block, at levels with attention. */
  attentions?: ImageAttentionParameters<T>[];
  /** On the way down, at every level but the coarsest. */
  downsamplers?: SamplerParameters<T>[];
  /** On the way up, at every level but the finest. */
  upsamplers?: SamplerParameters<T>[];
}

export interface UnetParameters<T = Tensor> {
  /** Latents to the transformer. */
  in: {
    conv_in: ConvolutionParameters<T>;
    /** The finest first. */
    down_blocks: UnetBlockParameters<T>[];
    /** Coarsest width -> channels. */
    proj: LinearParameters<T>;
  };
  /** The transformer to latents. */
  out: {
    /** Channels -> coarsest width. */
    proj: LinearParameters<T>;
    /** The coarsest first. */
    up_blocks: UnetBlockParameters<T>[];
    conv_norm_out: NormParameters<T>;
    conv_out: ConvolutionParameters<T>;
  };
}

/** The last convolution starts at zero. */
export function unetSpec(config: UnetPatcherConfig, sizes: PatcherSizes): { unet: UnetParameters<ParameterSpec> } {
  const { channels, patchSize, patchValues } = sizes;
  const { layersPerBlock } = config;
  const levels = unetLevels(config, sizes);
  const latentChannels = patchValues / patchSize ** 2;
  const widths = levels.map(({ width }) => width);
  const [finest, coarsest] = [widths[0], widths[widths.length - 1]];

  const block = ({ width, attends }: UnetLevel, inputs: number[]): UnetBlockParameters<ParameterSpec> => ({
    resnets: inputs.map((each) => resnetSpec(each, width, channels)),
    attentions: attends ? inputs.map(() => imageAttentionSpec(width)) : undefined,
  });
  const down = levels.map((level, i) => ({
    ...block(level, [widths[Math.max(0, i - 1)], ...new Array(layersPerBlock - 1).fill(level.width)]),
    downsamplers: i < levels.length - 1 ? [samplerSpec(level.width)] : undefined,
  }));
  // Each residual block on the way up reads what comes from below beside what the way down left at this level.
  const up = levels.map((level, i) => {
    const below = widths[Math.min(i + 1, widths.length - 1)];
    const above = widths[Math.max(0, i - 1)];
    const fromBelow = [below, ...new Array(layersPerBlock).fill(level.width)];
    const skips = [...new Array(layersPerBlock).fill(level.width), above];
    return {
      ...block(
        level,
        fromBelow.map((width, k) => width + skips[k]),
      ),
      upsamplers: i > 0 ? [samplerSpec(level.width)] : undefined,
    };
  });
  return {
    unet: {
      in: {
        conv_in: convolutionSpec({ inputs: latentChannels, outputs: finest }),
        down_blocks: down,
        proj: linearSpec({ inputs: coarsest, outputs: channels, std: 1 / Math.sqrt(coarsest) }),
      },
      out: {
        proj: linearSpec({ inputs: channels, outputs: coarsest, std: 1 / Math.sqrt(channels) }),
        up_blocks: up.reverse(),
        conv_norm_out: normSpec(finest),
        conv_out: convolutionSpec({ inputs: finest, outputs: latentChannels, std: 0 }),
      },
    },
  };
}
