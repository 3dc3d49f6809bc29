/** @file Attention among the positions of an image. Its names are diffusers' (`Attention` of its U-Nets and autoencoders). */
import { attention, constant, type Tensor } from '@transfusion/tensor';
import { type GroupNormOptions, groupNorm, type NormParameters, normSpec } from './convolution.js';
import { type LinearParameters, linear, linearSpec } from './layers.js';
import type { ParameterSpec } from './parameters.js';

export interface ImageAttentionParameters<T = Tensor> {
  group_norm: NormParameters<T>;
  to_q: LinearParameters<T>;
  to_k: LinearParameters<T>;
  to_v: LinearParameters<T>;
  /** One layer; diffusers has a dropout after it. */
  to_out: LinearParameters<T>[];
}

export function imageAttentionSpec(channels: number): ImageAttentionParameters<ParameterSpec> {
  const projection = () => linearSpec({ inputs: channels, outputs: channels, std: 1 / Math.sqrt(3 * channels) });
  return {
    group_norm: normSpec(channels),
    to_q: projection(),
    to_k: projection(),
    to_v: projection(),
    to_out: [projection()],
  };
}

/** x + attention of every position to all of its image, x [batch, height, width, channels]. `headDim` divides channels. */
export function imageAttention(
  p: ImageAttentionParameters,
  x: Tensor,
  { headDim, ...norm }: GroupNormOptions & { headDim: number },
): Tensor {
  const [batch, height, width, channels] = x.shape;
  const count = height * width;
  const positions = groupNorm(p.group_norm, x, norm).reshape([batch, count, channels]);
  const [q, k, v] = [p.to_q, p.to_k, p.to_v].map((layer) =>
    linear(layer, positions).reshape([batch, count, channels / headDim, headDim]),
  );
  const everywhere = (value: number) => constant(new Int32Array(batch * count).fill(value), [batch, count]);
  const mixed = attention({ q, k, v, begin: everywhere(0), end: everywhere(count) });
  return x.add(linear(p.to_out[0], mixed.reshape([batch, count, channels])).reshape(x.shape));
}
