import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { normalArray } from '../rows/random-array.js';
import { relativeDifference } from '../statistics.js';
import { convolve } from './tfjs-convolution.js';

const [HEIGHT, WIDTH, INPUTS, OUTPUTS] = [6, 8, 3, 4];

const normal = (shape: number[], seed: number) => tf.tensor(normalArray(tf.util.sizeFromShape(shape), { seed }), shape);

beforeAll(() => {
  tf.enableProdMode();
  return tf.setBackend('cpu');
});

test.each([
  { batch: 1, stride: 1 },
  { batch: 1, stride: 2 },
  { batch: 2, stride: 1 },
  { batch: 2, stride: 2 },
] as const)("gradients of $batch with stride $stride are those of tfjs's own kernels", ({ batch, stride }) => {
  const x = normal([batch, HEIGHT, WIDTH, INPUTS], 1);
  const filter = normal([3, 3, INPUTS, OUTPUTS], 2);
  const bias = normal([OUTPUTS], 3);
  const dy = normal([batch, HEIGHT / stride, WIDTH / stride, OUTPUTS], 4);
  const kernel = (name: string, inputs: Record<string, tf.Tensor>, shapes: tf.NamedAttrMap) => {
    const layer = { strides: [stride, stride], pad: 'same', dataFormat: 'NHWC' };
    return tf.engine().runKernel(name, inputs, { ...layer, ...shapes }) as tf.Tensor;
  };
  const layer = (x: tf.Tensor, filter: tf.Tensor, bias: tf.Tensor) => convolve(tf, { filter, bias, stride }, x);
  const gradients = tf.grads(layer)([x, filter, bias], dy);
  const expected = [
    kernel('Conv2DBackpropInput', { dy, filter }, { inputShape: x.shape }),
    kernel('Conv2DBackpropFilter', { x, dy }, { filterShape: filter.shape }),
    tf.sum(dy, [0, 1, 2]),
  ];
  gradients.forEach((gradient, i) => {
    expect(gradient.shape).toEqual(expected[i].shape);
    expect(relativeDifference(flat(gradient), flat(expected[i]))).toBeLessThan(1e-5);
  });
});

function flat(tensor: tf.Tensor): Float32Array {
  return tensor.dataSync() as Float32Array;
}
