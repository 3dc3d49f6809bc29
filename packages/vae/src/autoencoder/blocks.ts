/** @file What encoder and decoder are built of: residual blocks, attention, halving and doubling. */
import { convolution, groupNorm, linear, type NormParameters } from '@transfusion/nn';
import { concat, type Tensor, upsampleNearest } from '@transfusion/tensor';
import { inParts } from '../in-parts.js';
import { NORM_EPSILON } from './config.js';
import type {
  AttentionParameters,
  EncoderParameters,
  MidBlockParameters,
  ResnetParameters,
  SamplerParameters,
} from './parameters.js';

/** Scores of so many pairs of positions are held at a time (64 MiB). */
const MOST_SCORES = 2 ** 24;

/** Group norm and SiLU, before every 3x3 convolution but the first. */
export function normSilu(p: NormParameters, x: Tensor, groups: number): Tensor {
  return groupNorm(p, x, { groups, epsilon: NORM_EPSILON }).silu();
}

/** x + conv(silu(norm(conv(silu(norm(x)))))); a 1x1 convolution of x where the number of channels changes. */
export function resnet(p: ResnetParameters, x: Tensor, groups: number): Tensor {
  const hidden = convolution(p.conv1, normSilu(p.norm1, x, groups), { padding: 1 });
  const residual = convolution(p.conv2, normSilu(p.norm2, hidden, groups), { padding: 1 });
  return (p.conv_shortcut ? convolution(p.conv_shortcut, x) : x).add(residual);
}

/**
 * x + attention of every position to all of its image: one head as wide as the channels. So wide a head is cheapest as
 * two matrix products; where there are many positions, for some queries at a time.
 */
export function attention(p: AttentionParameters, x: Tensor, groups: number): Tensor {
  const [batch, height, width, channels] = x.shape;
  const count = height * width;
  const positions = groupNorm(p.group_norm, x, { groups, epsilon: NORM_EPSILON }).reshape([batch, count, channels]);
  const [q, k, v] = [p.to_q, p.to_k, p.to_v].map((projection) => linear(projection, positions));
  const scaled = q.mul(1 / Math.sqrt(channels));
  const attended = inParts(count, MOST_SCORES / (batch * count), (begin, end) => {
    const scores = scaled.slice(1, begin, end).matmul(k, { transposeB: true }); // [batch, queries, positions]
    return scores.softmax().matmul(v);
  });
  return x.add(linear(p.to_out[0], concat(attended, 1)).reshape(x.shape));
}

export function midBlock(p: MidBlockParameters, x: Tensor, groups: number): Tensor {
  let y = resnet(p.resnets[0], x, groups);
  for (const each of p.attentions) y = attention(each, y, groups);
  return resnet(p.resnets[1], y, groups);
}

/** Stride 2, with a row and a column of zeros below and to the right only. */
export function downsample(p: SamplerParameters, x: Tensor): Tensor {
  return convolution(p.conv, x, { stride: 2, padding: { bottom: 1, right: 1 } });
}

export function upsample(p: SamplerParameters, x: Tensor): Tensor {
  return convolution(p.conv, upsampleNearest(x, 2), { padding: 1 });
}

/** The last norm, SiLU and convolution of encoder and decoder. */
export function convolveLast(
  p: Pick<EncoderParameters, 'conv_norm_out' | 'conv_out'>,
  x: Tensor,
  groups: number,
): Tensor {
  return convolution(p.conv_out, normSilu(p.conv_norm_out, x, groups), { padding: 1 });
}
