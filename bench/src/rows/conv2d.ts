/** @file A 3 x 3 convolution of one image, forward and both gradients, as an autoencoder's layers have it. */
import type { Tensor4D } from '@tensorflow/tfjs-core';
import { compile, conv2d, createVariable, grad } from '@transfusion/tensor';
import { runInBatches } from '../engines/jax-js-batches.js';
import { filterGradient, inputGradient } from '../engines/tfjs-convolution.js';
import { type NamedArray, torchTask } from '../engines/torch-task.js';
import { normalArray } from './random-array.js';
import { defineRow, profileRuns } from './row.js';

const SIZE = 64;
const CHANNELS = 64;
const IMAGE: [number, number, number, number] = [1, SIZE, SIZE, CHANNELS];
const FILTERS: [number, number, number, number] = [3, 3, CHANNELS, CHANNELS];
const PIXELS = SIZE * SIZE * CHANNELS;
/** Enough of each result to see that it is right. */
const CHECKED = 4096;

export const conv2dRow = defineRow({
  name: 'conv2d',
  title: () => `convolution 3x3 of ${SIZE} x ${SIZE} x ${CHANNELS}, forward and both gradients`,
  unit: 'GFLOP/s',
  problem: () => ({
    x: normalArray(PIXELS, { seed: 1 }),
    weight: normalArray(9 * CHANNELS * CHANNELS, { seed: 2 }),
    gradient: normalArray(PIXELS, { seed: 3 }),
  }),
  work: () => (3 * 2 * 9 * SIZE * SIZE * CHANNELS * CHANNELS) / 1e9,
  tolerance: 1e-4,
  engines: {
    async ours({ backend }, { x, weight, gradient }) {
      const state = {
        x: createVariable(backend, { shape: IMAGE, data: x }),
        weight: createVariable(backend, { shape: FILTERS, data: weight }),
        gradient: createVariable(backend, { shape: IMAGE, data: gradient }),
        y: createVariable(backend, { shape: IMAGE }),
        dx: createVariable(backend, { shape: IMAGE }),
        dWeight: createVariable(backend, { shape: FILTERS }),
      };
      const layer = await compile({
        backend,
        name: 'conv2d',
        inputs: {},
        state,
        fn: (_, { x, weight, gradient }) => {
          const y = conv2d(x, weight, { padding: 1 });
          const [dx, dWeight] = grad(y.mul(gradient).sum(), [x, weight]);
          return { outputs: { first: dWeight.reshape([-1]).slice(0, 0, 1) }, updates: { y, dx, dWeight } };
        },
      });
      return {
        profile: () => profileRuns(layer, () => layer.profile({})),
        run: async (times) => void (await Promise.all(Array.from({ length: times }, () => layer.run({})))),
        async check() {
          const results = await Promise.all([state.y, state.dx, state.dWeight].map((result) => result.read()));
          return Float32Array.from(results.flatMap((values) => [...values.slice(0, CHECKED)]));
        },
      };
    },

    async 'jax-js'({ jax }, problem) {
      const np = jax.numpy;
      // [B, C, H, W] and [O, I, H, W] are its layouts.
      const image = (data: Float32Array) => np.transpose(np.array(data).reshape(IMAGE), [0, 3, 1, 2]);
      const [x, gradient] = [image(problem.x), image(problem.gradient)];
      const weight = np.transpose(np.array(problem.weight).reshape(FILTERS), [3, 2, 0, 1]);
      const layer = (x: typeof weight, w: typeof weight) =>
        jax.lax.convWithGeneralPadding(
          x,
          w,
          [1, 1],
          [
            [1, 1],
            [1, 1],
          ],
        );
      const both = jax.jit((x: typeof weight, w: typeof weight, g: typeof weight) => {
        const y = layer(x.ref, w.ref);
        const [dx, dw] = jax.grad((a: typeof weight, b: typeof weight) => np.sum(layer(a, b).mul(g)), {
          argnums: [0, 1],
        })(x, w) as unknown as [typeof weight, typeof weight];
        const flat = [np.transpose(y, [0, 2, 3, 1]), np.transpose(dx, [0, 2, 3, 1]), np.transpose(dw, [2, 3, 1, 0])];
        return np.concatenate(flat.map((result) => result.reshape([-1])));
      });
      const start = () => both(x.ref, weight.ref, gradient.ref);
      return {
        run: (times) => runInBatches(jax, times, start),
        async check() {
          const all = Float32Array.from(await start().data());
          const starts = [0, PIXELS, 2 * PIXELS];
          return Float32Array.from(starts.flatMap((at) => [...all.subarray(at, at + CHECKED)]));
        },
      };
    },

    async tfjs({ tf }, problem) {
      const x = tf.tensor4d(problem.x, IMAGE);
      const gradient = tf.tensor4d(problem.gradient, IMAGE);
      const weight = tf.tensor4d(problem.weight, FILTERS);
      const all = () => {
        const y = tf.conv2d(x, weight, 1, 'same');
        if (tf.getBackend() === 'wasm') {
          // Its own gradient by the input is slow, and by the filters it has none.
          return [y, inputGradient(tf, gradient, weight), filterGradient(tf, gradient, x)];
        }
        const [dx, dw] = tf.grads((a, w) => tf.conv2d(a as Tensor4D, w as Tensor4D, 1, 'same'))([x, weight], gradient);
        return [y, dx, dw];
      };
      const firstOf = async (count: number) => {
        const parts = tf.tidy(() => tf.concat(all().map((each) => tf.slice(tf.reshape(each, [-1]), [0], [count]))));
        const data = (await parts.data()) as Float32Array;
        parts.dispose();
        return data;
      };
      return {
        async run(times) {
          for (let i = 1; i < times; i++) tf.tidy(() => void all());
          await firstOf(1);
        },
        check: () => firstOf(CHECKED),
      };
    },

    torch(torch, { x, weight, gradient }) {
      const arrays: NamedArray[] = [
        ['x', x, IMAGE],
        ['weight', weight, FILTERS],
        ['gradient', gradient, IMAGE],
      ];
      return torchTask(torch, 'conv2d.py', { arrays, description: { checked: CHECKED } });
    },
  },
});
