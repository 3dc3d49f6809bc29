/** @file Matrix products in tfjs by the way that is fastest on each of its backends. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { EngineApis } from './engine.js';

type Tf = EngineApis['tfjs']['tf'];
export type Product = (a: Tensor, b: Tensor) => Tensor;

/**
 * a [..., m, k] times b [..., k, n], differentiable. The WebAssembly backend has a fast kernel (XNNPACK) for products of two
 * matrices neither of which is transposed, and a loop some ten times slower for batches and transposed operands, which
 * gradients ask for: so there, all is put together from the former.
 */
export function fastestProduct(tf: Tf): Product {
  if (tf.getBackend() !== 'wasm') return (a, b) => tf.matMul(a, b);
  const single = tf.customGrad((...inputs) => {
    const [a, b, save] = inputs as unknown as [Tensor, Tensor, (tensors: Tensor[]) => void];
    save([a, b]);
    const gradFunc = (dy: Tensor, [a, b]: Tensor[]) => [tf.matMul(dy, tf.transpose(b)), tf.matMul(tf.transpose(a), dy)];
    return { value: tf.matMul(a, b), gradFunc: gradFunc as (dy: Tensor, saved: Tensor[]) => Tensor[] };
  });
  return (a, b) => {
    if (a.rank === 2) return single(a, b);
    const [m, k] = a.shape.slice(-2);
    const n = b.shape.at(-1) as number;
    const left = tf.unstack(tf.reshape(a, [-1, m, k]));
    const right = tf.unstack(tf.reshape(b, [-1, k, n]));
    return tf.reshape(tf.stack(left.map((matrix, i) => single(matrix, right[i]))), [...a.shape.slice(0, -1), n]);
  };
}
