/** @file The attention and the ends of encoder and decoder; their other blocks are those of @transfusion/nn. */
import { convolution, groupNorm, type ImageAttentionParameters, linear, normSilu, resnet } from '@transfusion/nn';
import { concat, type Tensor } from '@transfusion/tensor';
import { inParts } from '../in-parts.js';
import { NORM_EPSILON } from './config.js';
import type { EncoderParameters, MidBlockParameters } from './parameters.js';

/** Scores of so many pairs of positions are held at a time (64 MiB). */
const MOST_SCORES = 2 ** 24;

/** What the norms of a whole autoencoder have in common. */
export const normOf = (groups: number) => ({ groups, epsilon: NORM_EPSILON });

/**
 * x + attention of every position to all of its image: one head as wide as the channels. So wide a head is cheapest as
 * two matrix products; where there are many positions, for some queries at a time.
 */
export function attention(p: ImageAttentionParameters, x: Tensor, groups: number): Tensor {
  const [batch, height, width, channels] = x.shape;
  const count = height * width;
  const positions = groupNorm(p.group_norm, x, normOf(groups)).reshape([batch, count, channels]);
  const [q, k, v] = [p.to_q, p.to_k, p.to_v].map((projection) => linear(projection, positions));
  const scaled = q.mul(1 / Math.sqrt(channels));
  const attended = inParts(count, MOST_SCORES / (batch * count), (begin, end) => {
    const scores = scaled.slice(1, begin, end).matmul(k, { transposeB: true }); // [batch, queries, positions]
    return scores.softmax().matmul(v);
  });
  return x.add(linear(p.to_out[0], concat(attended, 1)).reshape(x.shape));
}

export function midBlock(p: MidBlockParameters, x: Tensor, groups: number): Tensor {
  let y = resnet(p.resnets[0], x, normOf(groups));
  for (const each of p.attentions) y = attention(each, y, groups);
  return resnet(p.resnets[1], y, normOf(groups));
}

/** The last norm, SiLU and convolution of encoder and decoder. */
export function convolveLast(
  p: Pick<EncoderParameters, 'conv_norm_out' | 'conv_out'>,
  x: Tensor,
  groups: number,
): Tensor {
  return convolution(p.conv_out, normSilu(p.conv_norm_out, x, normOf(groups)), { padding: 1 });
}
