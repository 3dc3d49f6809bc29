/** @file Causal attention, forward. Other engines compute scores that the mask hides; the operations counted are those that matter. */
import { attention, compile, createVariable } from '@transfusion/tensor';
import { runInBatches } from '../engines/jax-js-batches.js';
import { fastestProduct } from '../engines/tfjs-product.js';
import { type NamedArray, torchTask } from '../engines/torch-task.js';
import { normalArray } from './random-array.js';
import { defineRow, profileRuns } from './row.js';

const BATCH = 8;
const LENGTH = 256;
const HEADS = 4;
const HEAD_DIM = 64;
const ELEMENTS = BATCH * LENGTH * HEADS * HEAD_DIM;
const SCALE = 1 / Math.sqrt(HEAD_DIM);
const SHAPE = [BATCH, LENGTH, HEADS, HEAD_DIM];

export const attentionRow = defineRow({
  name: 'attention',
  title: () => `causal attention of ${BATCH} x ${LENGTH}, ${HEADS} heads of ${HEAD_DIM}, forward`,
  unit: 'GFLOP/s',
  problem() {
    const [q, k, v] = [1, 2, 3].map((seed) => normalArray(ELEMENTS, { seed }));
    return { q, k, v };
  },
  work: () => (4 * BATCH * HEADS * HEAD_DIM * LENGTH * (LENGTH + 1)) / 2 / 1e9,
  tolerance: 1e-4,
  engines: {
    async ours({ backend }, { q, k, v }) {
      const shape = SHAPE;
      const perQuery = (at: (position: number) => number) =>
        createVariable(backend, {
          shape: [BATCH, LENGTH],
          dtype: 'i32',
          data: Int32Array.from({ length: BATCH * LENGTH }, (_, i) => at(i % LENGTH)),
        });
      const state = {
        q: createVariable(backend, { shape, data: q }),
        k: createVariable(backend, { shape, data: k }),
        v: createVariable(backend, { shape, data: v }),
        begin: perQuery(() => 0),
        end: perQuery((position) => position + 1),
        mixed: createVariable(backend, { shape }),
      };
      const attend = await compile({
        backend,
        name: 'attention',
        inputs: {},
        state,
        fn: (_, { q, k, v, begin, end }) => {
          const mixed = attention({ q, k, v, begin, end });
          return { outputs: { first: mixed.reshape([ELEMENTS]).slice(0, 0, 1) }, updates: { mixed } };
        },
      });
      return {
        profile: () => profileRuns(attend, () => attend.profile({})),
        run: async (times) => void (await Promise.all(Array.from({ length: times }, () => attend.run({})))),
        check: () => state.mixed.read(),
      };
    },

    async 'jax-js'({ jax }, problem) {
      const np = jax.numpy;
      const [q, k, v] = [problem.q, problem.k, problem.v].map((data) => np.array(data).reshape(SHAPE));
      const attend = jax.jit((q: typeof v, k: typeof v, v_: typeof v) =>
        jax.nn.dotProductAttention(q, k, v_, { isCausal: true }),
      );
      const start = () => attend(q.ref, k.ref, v.ref);
      return {
        run: (times) => runInBatches(jax, times, start),
        check: async () => Float32Array.from(await start().data()),
      };
    },

    async tfjs({ tf }, problem) {
      // [B, H, T, D] is the layout it multiplies in.
      const [q, k, v] = [problem.q, problem.k, problem.v].map((data) =>
        tf.tidy(() => tf.transpose(tf.tensor4d(data, [BATCH, LENGTH, HEADS, HEAD_DIM]), [0, 2, 1, 3])),
      );
      const hidden = Float32Array.from({ length: LENGTH * LENGTH }, (_, i) =>
        i % LENGTH > Math.floor(i / LENGTH) ? -1e9 : 0,
      );
      const mask = tf.tensor4d(hidden, [1, 1, LENGTH, LENGTH]);
      const product = fastestProduct(tf);
      const attend = () => {
        const scores = tf.add(tf.mul(product(q, tf.transpose(k, [0, 1, 3, 2])), SCALE), mask);
        return product(tf.softmax(scores), v);
      };
      return {
        async run(times) {
          // Operations are queued at once; reading the last result waits for all.
          for (let i = 1; i < times; i++) tf.tidy(attend).dispose();
          const first = tf.tidy(() => tf.slice(attend(), [0, 0, 0, 0], [1, 1, 1, 1]));
          await first.data();
          first.dispose();
        },
        check: async () => (await tf.tidy(() => tf.transpose(attend(), [0, 2, 1, 3])).data()) as Float32Array,
      };
    },

    torch(torch, { q, k, v }) {
      const arrays: NamedArray[] = [
        ['q', q, SHAPE],
        ['k', k, SHAPE],
        ['v', v, SHAPE],
      ];
      return torchTask(torch, 'attention.py', { arrays, description: {} });
    },
  },
});
