/** @file One f32 matrix product of 4096 x 4096 x 4096, for GPUs: what part of the chip's peak is reached. */
import { compile, createVariable } from '@transfusion/tensor';
import { runInBatches } from '../engines/jax-js-batches.js';
import { normalArray } from './random-array.js';
import { defineRow, profileRuns } from './row.js';

const SIZE = 4096;
const CHECKED = 4096;

export const matmulGpuRow = defineRow({
  name: 'matmul-4096',
  title: () => 'matrix product of 4096',
  unit: 'GFLOP/s',
  backends: ['webgpu'],
  gpuOnly: true,
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
        fn: (_, { a, b }) => ({ outputs: {}, updates: { c: a.matmul(b) } }),
      });
      return {
        run: async (times) => void (await Promise.all(Array.from({ length: times }, () => product.run({})))),
        profile: () => profileRuns(product, () => product.profile({})),
        check: async () => (await state.c.read()).slice(0, CHECKED),
      };
    },

    async 'jax-js'({ jax }, problem) {
      const np = jax.numpy;
      const [a, b] = [problem.a, problem.b].map((data) => np.array(data).reshape([SIZE, SIZE]));
      const product = () => np.matmul(a.ref, b.ref);
      return {
        run: (times) => runInBatches(jax, times, product),
        check: async () => Float32Array.from(await product().slice([0, 1]).data()),
      };
    },
  },
});
