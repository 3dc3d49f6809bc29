/** @file The parameters of an autoencoder: a tree whose paths are diffusers' names. */
import {
  type ConvolutionParameters,
  convolutionSpec,
  type DownBlockParameters,
  type ImageAttentionParameters,
  imageAttentionSpec,
  type NormParameters,
  normSpec,
  ParameterSpec,
  type ResnetParameters,
  resnetSpec,
  resnetSpecs,
  samplerSpec,
  type UpBlockParameters,
} from '@transfusion/nn';
import type { Tensor } from '@transfusion/tensor';
import { type AutoencoderConfig, codeChannels, type KlConfig, type VqConfig } from './config.js';

export interface MidBlockParameters<T = Tensor> {
  /** Two. */
  resnets: ResnetParameters<T>[];
  /** One, between them, or none. */
  attentions: ImageAttentionParameters<T>[];
}

/** Filters are [height, width, inputs, outputs]; files keep them [outputs, inputs, height, width] (see `weights.ts`). */
export interface EncoderParameters<T = Tensor> {
  conv_in: ConvolutionParameters<T>;
  down_blocks: DownBlockParameters<T>[];
  mid_block: MidBlockParameters<T>;
  conv_norm_out: NormParameters<T>;
  conv_out: ConvolutionParameters<T>;
}

export interface DecoderParameters<T = Tensor> {
  conv_in: ConvolutionParameters<T>;
  mid_block: MidBlockParameters<T>;
  up_blocks: UpBlockParameters<T>[];
  conv_norm_out: NormParameters<T>;
  conv_out: ConvolutionParameters<T>;
}

export interface KlParameters<T = Tensor> {
  encoder: EncoderParameters<T>;
  quant_conv?: ConvolutionParameters<T>;
  post_quant_conv?: ConvolutionParameters<T>;
  decoder: DecoderParameters<T>;
}

export interface VqParameters<T = Tensor> {
  encoder: EncoderParameters<T>;
  quant_conv: ConvolutionParameters<T>;
  /** [codes, code channels] */
  quantize: { embedding: { weight: T } };
  post_quant_conv: ConvolutionParameters<T>;
  decoder: DecoderParameters<T>;
}

/** Shapes and initialisers of a KL autoencoder: its encoder gives a mean and a log variance. */
export function klSpec(config: KlConfig): KlParameters<ParameterSpec> {
  const latents = config.latent_channels;
  return {
    encoder: encoderSpec(config, 2 * latents),
    quant_conv: config.use_quant_conv ? pointwise(2 * latents, 2 * latents) : undefined,
    post_quant_conv: config.use_post_quant_conv ? pointwise(latents, latents) : undefined,
    decoder: decoderSpec(config),
  };
}

/** Shapes and initialisers of a VQ autoencoder. Codes start with the deviation of diffusers' (uniform within 1 / codes). */
export function vqSpec(config: VqConfig): VqParameters<ParameterSpec> {
  const { latent_channels: latents, num_vq_embeddings: codes } = config;
  const width = codeChannels(config);
  const start = { kind: 'normal', std: 1 / (Math.sqrt(3) * codes) } as const;
  return {
    encoder: encoderSpec(config, latents),
    quant_conv: pointwise(latents, width),
    quantize: { embedding: { weight: new ParameterSpec([codes, width], start, false) } },
    post_quant_conv: pointwise(width, latents),
    decoder: decoderSpec(config),
  };
}

export function autoencoderSpec(config: KlConfig): KlParameters<ParameterSpec>;
export function autoencoderSpec(config: VqConfig): VqParameters<ParameterSpec>;
export function autoencoderSpec(config: AutoencoderConfig): KlParameters<ParameterSpec> | VqParameters<ParameterSpec>;
export function autoencoderSpec(config: AutoencoderConfig) {
  return config._class_name === 'VQModel' ? vqSpec(config) : klSpec(config);
}

function encoderSpec(config: AutoencoderConfig, outputs: number): EncoderParameters<ParameterSpec> {
  const { block_out_channels: widths, layers_per_block: layers } = config;
  const coarsest = widths[widths.length - 1];
  return {
    conv_in: convolutionSpec({ inputs: config.in_channels, outputs: widths[0] }),
    down_blocks: widths.map((width, level) => ({
      resnets: resnetSpecs(layers, widths[Math.max(0, level - 1)], width),
      downsamplers: level < widths.length - 1 ? [samplerSpec(width)] : undefined,
    })),
    mid_block: midBlockSpec(config, coarsest),
    conv_norm_out: normSpec(coarsest),
    conv_out: convolutionSpec({ inputs: coarsest, outputs }),
  };
}

function decoderSpec(config: AutoencoderConfig): DecoderParameters<ParameterSpec> {
  const widths = [...config.block_out_channels].reverse();
  const finest = widths[widths.length - 1];
  return {
    conv_in: convolutionSpec({ inputs: config.latent_channels, outputs: widths[0] }),
    mid_block: midBlockSpec(config, widths[0]),
    up_blocks: widths.map((width, level) => ({
      resnets: resnetSpecs(config.layers_per_block + 1, widths[Math.max(0, level - 1)], width),
      upsamplers: level < widths.length - 1 ? [samplerSpec(width)] : undefined,
    })),
    conv_norm_out: normSpec(finest),
    conv_out: convolutionSpec({ inputs: finest, outputs: config.out_channels }),
  };
}

function midBlockSpec(config: AutoencoderConfig, channels: number): MidBlockParameters<ParameterSpec> {
  return {
    resnets: [resnetSpec(channels, channels), resnetSpec(channels, channels)],
    attentions: config.mid_block_add_attention ? [imageAttentionSpec(channels)] : [],
  };
}

function pointwise(inputs: number, outputs: number): ConvolutionParameters<ParameterSpec> {
  return convolutionSpec({ inputs, outputs, kernel: 1 });
}
