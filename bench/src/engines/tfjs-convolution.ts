/**
 * @file Convolutions with biases in tfjs, differentiable, by the way that is fastest on its WebAssembly backend (XNNPACK).
 *
 * That backend has no kernel for the gradient by the filters (Conv2DBackpropFilter), and a plain loop, ten times slower than
 * its convolution, for the one by the input (Conv2DBackpropInput). Both are convolutions themselves:
 *
 * - by the input: of dy with the filters turned around. With stride 2, one convolution gives the even rows and one the odd
 *   ones, each with two columns for every position of dy.
 * - by the filters, of a batch, with the roles swapped: of the input, whose channels are now the batch and whose images the
 *   channels, with dy as a filter as large as the image. For batches of 8 and 16 images that is up to four times as fast as a
 *   matrix product for every tap.
 * - by the filters, of a single image, with its columns as the channels: dy is a filter as high as the image and one wide. That
 *   takes about 0.8 of the time of the next best, products for every tap with the image shifted as a flat array.
 */
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { EngineApis } from './engine.js';
import { withGradient } from './tfjs-gradient.js';

type Tf = EngineApis['tfjs']['tf'];
type Sides = [before: number, after: number];

export interface TfjsConvolution {
  /** [height, width, inputs, outputs]: 1x1, or 3x3 with so much padding that height and width stay, or halve. */
  filter: Tensor;
  /** [outputs] */
  bias: Tensor;
  /** 2 pads below and to the right only; default 1. */
  stride?: 1 | 2;
}

/** x [batch, height, width, inputs] -> [batch, height / stride, width / stride, outputs]. */
export function convolve(tf: Tf, { filter, bias, stride = 1 }: TfjsConvolution, x: Tensor): Tensor {
  if (filter.shape[0] === 1) return pointwise(tf, filter, bias, x);
  return withGradient(
    tf,
    (x, filter, bias) => ({ value: forward(tf, x, filter, bias, stride), kept: [x, filter] }),
    (dy, [x, filter]) => [
      inputGradient(tf, dy, filter, stride),
      filterGradient(tf, dy, x, stride),
      biasGradient(tf, dy),
    ],
  )(x, filter, bias);
}

/** The same for images that are not differentiated by: their gradient is not computed. */
export function convolveConstant(tf: Tf, { filter, bias }: TfjsConvolution, images: Tensor): Tensor {
  return withGradient(
    tf,
    (filter, bias) => ({ value: forward(tf, images, filter, bias, 1), kept: [] }),
    (dy) => [filterGradient(tf, dy, images), biasGradient(tf, dy)],
  )(filter, bias);
}

function forward(tf: Tf, x: Tensor, filter: Tensor, bias: Tensor, stride: number): Tensor {
  // An even height with stride 2 is padded below only by 'same', too.
  return tf.fused.conv2d({ x: x as Tensor4D, filter: filter as Tensor4D, strides: stride, pad: 'same', bias });
}

/** Of a 3x3 convolution, by its input. */
export function inputGradient(tf: Tf, dy: Tensor, filter: Tensor, stride: 1 | 2 = 1): Tensor {
  const [, , inputs, outputs] = filter.shape;
  const taps = tf.unstack(tf.reshape(filter, [9, inputs, outputs])).map((tap) => tf.transpose(tap));
  if (stride === 1) {
    const turned = tf.reshape(tf.stack(taps.reverse()), [3, 3, outputs, inputs]);
    return tf.conv2d(dy as Tensor4D, turned as Tensor4D, 1, 'same');
  }
  const [batch, height, width] = dy.shape;
  const none = tf.zeros([outputs, inputs]);
  const rowsOf = (filterRows: number[]) => {
    const columns = filterRows.flatMap((row) => [
      tf.concat([taps[3 * row + 2], none], 1),
      tf.concat([taps[3 * row], taps[3 * row + 1]], 1),
    ]);
    const filter = tf.reshape(tf.stack(columns), [filterRows.length, 2, outputs, 2 * inputs]) as Tensor4D;
    const padding = paddingOf([filterRows.length - 1, 0], [1, 0]);
    return tf.reshape(tf.conv2d(dy as Tensor4D, filter, 1, padding), [batch * height, 2 * width * inputs]);
  };
  const [even, odd] = [rowsOf([2, 0]), rowsOf([1])];
  return tf.reshape(tf.concat([even, odd], 1), [batch, 2 * height, 2 * width, inputs]);
}

/** Of a 3x3 convolution, by its filters [3, 3, inputs, outputs]. */
export function filterGradient(tf: Tf, dy: Tensor, x: Tensor, stride: 1 | 2 = 1): Tensor {
  return x.shape[0] === 1 && stride === 1 ? filterGradientOfOne(tf, dy, x) : filterGradientOfBatch(tf, dy, x, stride);
}

function filterGradientOfBatch(tf: Tf, dy: Tensor, x: Tensor, stride: number): Tensor {
  const images = tf.transpose(x as Tensor4D, [3, 1, 2, 0]); // [inputs, height, width, batch]
  const filter = tf.transpose(dy as Tensor4D, [1, 2, 0, 3]); // [height', width', batch, outputs]
  const before = stride === 1 ? 1 : 0;
  const padding = paddingOf([before, 1], [before, 1]);
  const byTaps = tf.conv2d(images, filter, 1, padding, 'NHWC', stride); // [inputs, 3, 3, outputs]
  return tf.transpose(byTaps, [1, 2, 0, 3]);
}

/** A column of zeros behind the others is the padding on both sides: the last of a row is before the first of the next. */
function filterGradientOfOne(tf: Tf, dy: Tensor, x: Tensor): Tensor {
  const [, height, width, inputs] = x.shape;
  const outputs = dy.shape.at(-1) as number;
  const columns = width + 1;
  const widened = (images: Tensor) => tf.pad(images as Tensor4D, paddingOf([0, 0], [0, 1]));
  const rows = tf.transpose(tf.reshape(widened(x), [height, columns, inputs]), [0, 2, 1]);
  const flat = tf.pad(tf.reshape(rows, [-1]), [[1, 1]]);
  const shifted = [0, 1, 2].map((at) => tf.reshape(tf.slice(flat, [at], [rows.size]), rows.shape));
  const image = tf.reshape(tf.concat(shifted, 1), [1, height, 3 * inputs, columns]) as Tensor4D;
  const filter = tf.reshape(widened(dy), [height, 1, columns, outputs]) as Tensor4D;
  const byTaps = tf.conv2d(image, filter, 1, paddingOf([1, 1], [0, 0])); // [1, 3, 3 * inputs, outputs]
  return tf.reshape(byTaps, [3, 3, inputs, outputs]);
}

function pointwise(tf: Tf, filter: Tensor, bias: Tensor, x: Tensor): Tensor {
  const [, , inputs, outputs] = filter.shape;
  const product = dense(tf, tf.reshape(filter, [inputs, outputs]), bias, tf.reshape(x, [-1, inputs]));
  return tf.reshape(product, [...x.shape.slice(0, -1), outputs]);
}

/** x [rows, inputs] times weight [inputs, outputs], plus bias. Transposes are copies: see `fastestProduct`. */
export function dense(tf: Tf, weight: Tensor, bias: Tensor, x: Tensor): Tensor {
  return withGradient(
    tf,
    (x, weight, bias) => ({
      value: tf.fused.matMul({ a: x as Tensor2D, b: weight as Tensor2D, bias: bias as Tensor1D }),
      kept: [x, weight],
    }),
    (dy, [x, weight]) => [tf.matMul(dy, tf.transpose(weight)), tf.matMul(tf.transpose(x), dy), biasGradient(tf, dy)],
  )(x, weight, bias);
}

/** The sum over all but the last axis, as an average: tfjs's sums over outer axes transpose first. */
function biasGradient(tf: Tf, dy: Tensor): Tensor {
  const outputs = dy.shape.at(-1) as number;
  const rows = dy.size / outputs;
  const column = tf.reshape(dy, [1, rows, 1, outputs]) as Tensor4D;
  return tf.mul(tf.reshape(tf.avgPool(column, [rows, 1], 1, 'valid'), [outputs]), rows);
}

/** Of images [batch, height, width, channels], as tfjs takes it. */
function paddingOf(rows: Sides, columns: Sides): [Sides, Sides, Sides, Sides] {
  return [[0, 0], rows, columns, [0, 0]];
}
