/** @file One f32 matrix product of 1024 x 1024 x 1024; operands and result stay on the device. */
import { type Backend, compile, createVariable } from '@transfusion/tensor';
import { Bounds } from '../bounds/bounds.js';
import { runInBatches } from '../engines/jax-js-batches.js';
import { type NamedArray, torchTask } from '../engines/torch-task.js';
import { normalArray } from './random-array.js';
import { defineRow, profileRuns } from './row.js';

const SIZE = 1024;
/** Enough of the result to see that it is right: this many rows of it. */
const CHECKED_ROWS = 8;

/** What the processor could do at most: all threads multiply and add in registers. */
function multiplyAddsAlone({ description }: Backend) {
  const bounds = new Bounds();
  const flops = 2 * SIZE ** 3;
  if (!description.includes('256-bit')) {
    return { 'multiply-adds in registers': async (times: number) => bounds.multiplyAdds(times * flops) };
  }
  return { 'multiply-adds in 256-bit registers': async (times: number) => bounds.wideMultiplyAdds(times * flops) };
}

export const matmulRow = defineRow({
  name: 'matmul-1024',
  title: () => 'matrix product of 1024',
  unit: 'GFLOP/s',
  problem: () => ({ a: normalArray(SIZE * SIZE, { seed: 1 }), b: normalArray(SIZE * SIZE, { seed: 2 }) }),
  work: () => (2 * SIZE ** 3) / 1e9,
  tolerance: 1e-4,
  engines: {
    async ours({ backend }, { a, b }) {
      const shape = [SIZE, SIZE];
      const state = {
        a: createVariable(backend, { shape, data: a }),
        b: createVariable(backend, { shape, data: b }),
        c: createVariable(backend, { shape }),
      };
      const product = await compile({
        backend,
        name: 'product',
        inputs: {},
        state,
        fn: (_, { a, b }) => {
          const c = a.matmul(b);
          return { outputs: { first: c.slice(0, 0, 1).slice(1, 0, 1) }, updates: { c } };
        },
      });
      return {
        profile: () => profileRuns(product, () => product.profile({})),
        run: async (times) => void (await Promise.all(Array.from({ length: times }, () => product.run({})))),
        beside: backend.name === 'wasm' ? multiplyAddsAlone(backend) : {},
        check: async () => (await state.c.read()).slice(0, CHECKED_ROWS * SIZE),
      };
    },

    async 'jax-js'({ jax }, problem) {
      const np = jax.numpy;
      const [a, b] = [problem.a, problem.b].map((data) => np.array(data).reshape([SIZE, SIZE]));
      const product = () => np.matmul(a.ref, b.ref);
      return {
        run: (times) => runInBatches(jax, times, product),
        check: async () => Float32Array.from(await product().slice([0, CHECKED_ROWS]).data()),
      };
    },

    async tfjs({ tf }, problem) {
      const [a, b] = [problem.a, problem.b].map((data) => tf.tensor2d(data, [SIZE, SIZE]));
      const firstOf = async (size: [number, number]) => {
        const part = tf.tidy(() => tf.slice(tf.matMul(a, b), [0, 0], size));
        const data = await part.data();
        part.dispose();
        return data as Float32Array;
      };
      return {
        async run(times) {
          // Operations are queued at once; reading the last result waits for all.
          for (let i = 1; i < times; i++) tf.matMul(a, b).dispose();
          await firstOf([1, 1]);
        },
        check: () => firstOf([CHECKED_ROWS, SIZE]),
      };
    },

    torch(torch, problem) {
      const shape = [SIZE, SIZE];
      const arrays: NamedArray[] = [
        ['a', problem.a, shape],
        ['b', problem.b, shape],
      ];
      return torchTask(torch, 'matmul.py', { arrays, description: { checkedRows: CHECKED_ROWS } });
    },
  },
});
