/**
 * @file Group norm, SiLU and doubling in tfjs, with gradients written out: in fewer passes over memory than those that it
 * puts together, and without its slow reductions over outer axes.
 */
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import type { EngineApis } from '../../engines/engine.js';
import { withGradient } from '../../engines/tfjs-gradient.js';
import { NORM_EPSILON } from './problem.js';

type Tf = EngineApis['tfjs']['tf'];

/** x [batch, height, width, channels]; gain and bias [channels]. */
export function groupNorm(tf: Tf, p: { gain: Tensor; bias: Tensor; groups: number }, x: Tensor): Tensor {
  const [, height, width, channels] = x.shape;
  const pixels = height * width;
  // Everything below that is not x or dy has a number per image and channel: [batch, 1, 1, channels].
  const averages = (values: Tensor) => tf.avgPool(values as Tensor4D, [height, width], 1, 'valid');
  const overGroups = (values: Tensor) => {
    const byGroup = tf.mean(tf.reshape(values, [-1, p.groups, channels / p.groups]), 2, true);
    return tf.reshape(tf.tile(byGroup, [1, 1, channels / p.groups]), [-1, 1, 1, channels]);
  };
  const overImages = (values: Tensor) => tf.mul(tf.sum(values, [0, 1, 2]), pixels);
  return withGradient(
    tf,
    (x, gain, bias) => {
      const mean = overGroups(averages(x));
      const variance = tf.sub(overGroups(averages(tf.square(x))), tf.square(mean));
      const rstd = tf.rsqrt(tf.add(variance, NORM_EPSILON));
      const scale = tf.mul(gain, rstd);
      const value = tf.add(tf.mul(x, scale), tf.sub(bias, tf.mul(mean, scale)));
      return { value, kept: [x, gain, mean, rstd] };
    },
    (dy, [x, gain, mean, rstd]) => {
      const ofDy = averages(dy);
      const ofDyTimesNormed = tf.mul(tf.sub(averages(tf.mul(dy, x)), tf.mul(ofDy, mean)), rstd);
      const first = overGroups(tf.mul(gain, ofDy));
      const second = overGroups(tf.mul(gain, ofDyTimesNormed));
      // dx = rstd (gain dy - first - (x - mean) rstd second)
      const slope = tf.mul(tf.square(rstd), second);
      const offset = tf.sub(tf.mul(slope, mean), tf.mul(rstd, first));
      const dx = tf.add(tf.sub(tf.mul(dy, tf.mul(gain, rstd)), tf.mul(x, slope)), offset);
      return [dx, overImages(ofDyTimesNormed), overImages(ofDy)];
    },
  )(x, p.gain, p.bias);
}

export function silu(tf: Tf, x: Tensor): Tensor {
  return withGradient(
    tf,
    (x) => {
      const sigmoid = tf.sigmoid(x);
      const value = tf.mul(x, sigmoid);
      return { value, kept: [sigmoid, value] };
    },
    (dy, [sigmoid, value]) => [tf.mul(dy, tf.add(sigmoid, tf.mul(value, tf.sub(1, sigmoid))))],
  )(x);
}

/** Each pixel as 2x2 of them. */
export function upsample(tf: Tf, x: Tensor): Tensor {
  const [, height, width] = x.shape;
  return withGradient(
    tf,
    (x) => ({ value: tf.image.resizeNearestNeighbor(x as Tensor4D, [2 * height, 2 * width]), kept: [] }),
    (dy) => [tf.mul(tf.avgPool(dy as Tensor4D, 2, 2, 'valid'), 4)],
  )(x);
}
