/** @file Kernels that do little with each number: how near they come to the speed of copying memory. */
import { availableParallelism } from 'node:os';
import { adamwHyper } from '@transfusion/nn';
import {
  adamw,
  compile,
  constant,
  createVariable,
  crossEntropy,
  rmsNorm,
  scalar,
  type Tensor,
  type Variable,
} from '@transfusion/tensor';
import { Bounds } from '../bounds/bounds.js';
import { normalArray } from './random-array.js';
import { defineRow, profileRuns, type Row } from './row.js';

const COLUMNS = 256;
/** Read and written by a run: more than any cache holds. A software adapter gets a sixteenth. */
const BYTES = 192 << 20;
const REDUCED_BYTES = BYTES / 16;
const CHECKED = 1024;

interface MemoryBoundProblem {
  rows: number;
}

interface Work {
  name: string;
  title: string;
  /** Arrays of [rows, COLUMNS] read, and written. */
  reads: number;
  writes: number;
  /** New contents of arrays, by number, or of `total`. */
  fn(arrays: Tensor[], rows: number): { [array: number]: Tensor; total?: Tensor };
}

const HYPER = adamwHyper({ learningRate: 3e-4, beta1: 0.9, beta2: 0.95, step: 10 });

const WORKS: Work[] = [
  {
    name: 'elementwise',
    title: '(2 x + y) y, elementwise',
    reads: 2,
    writes: 1,
    fn: ([x, y]) => ({ 2: x.mul(2).add(y).mul(y) }),
  },
  {
    name: 'silu-mul',
    title: 'silu(x) * y, elementwise',
    reads: 2,
    writes: 1,
    fn: ([x, y]) => ({ 2: x.silu().mul(y) }),
  },
  {
    name: 'rms-norm',
    title: `RMSNorm of rows of ${COLUMNS}`,
    reads: 1,
    writes: 1,
    fn: ([x]) => ({ 1: rmsNorm(x, constant(new Float32Array(COLUMNS).fill(1), [COLUMNS]), 1e-5) }),
  },
  {
    name: 'softmax',
    title: `softmax of rows of ${COLUMNS}`,
    reads: 1,
    writes: 1,
    fn: ([x]) => ({ 1: x.softmax() }),
  },
  {
    name: 'cross-entropy',
    title: `cross-entropy of rows of ${COLUMNS}`,
    reads: 1,
    writes: 0,
    fn: ([x], rows) => ({
      total: crossEntropy(
        x,
        constant(
          Int32Array.from({ length: rows }, (_, i) => i % COLUMNS),
          [rows],
        ),
      ).sum(),
    }),
  },
  {
    name: 'adamw',
    title: 'AdamW',
    reads: 4,
    writes: 3,
    fn([parameter, m, v, gradient]) {
      const hyper = constant(HYPER, [3]);
      const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };
      const step = adamw({ parameter, gradient, m, v, hyper, gradientScale: scalar(1) }, options);
      return { 0: step.parameter, 1: step.m, 2: step.v };
    },
  },
];

/** All threads copy; counted are the bytes read and those written. */
function plainCopy(bytes: number) {
  const bounds = new Bounds(Math.ceil(bytes / availableParallelism()));
  return async (times: number) => {
    for (let i = 0; i < times; i++) bounds.copy();
  };
}

export const memoryBoundRows: readonly Row[] = WORKS.map(({ name, title, reads, writes, fn }) =>
  defineRow<MemoryBoundProblem>({
    name,
    title: ({ rows }) => `${title}, ${((rows * COLUMNS) / 1e6).toFixed(1)} M numbers`,
    unit: 'GB/s',
    problem: (reduced) => ({
      rows: Math.floor((reduced ? REDUCED_BYTES : BYTES) / (4 * COLUMNS * (reads + writes))),
    }),
    reduced: 'a sixteenth of the numbers',
    work: ({ rows }) => (4 * rows * COLUMNS * (reads + writes)) / 1e9,
    tolerance: 0,
    engines: {
      async ours({ backend }, { rows }) {
        const shape = [rows, COLUMNS];
        const elements = rows * COLUMNS;
        const arrays = Array.from({ length: reads + writes }, (_, i) =>
          createVariable(backend, { shape, data: normalArray(elements, { seed: i + 1 }).map(Math.abs) }),
        );
        const total: Variable = createVariable(backend, { shape: [] });
        const program = await compile({
          backend,
          name,
          inputs: {},
          state: { arrays, total },
          fn: (_, state) => {
            const { total = state.total, ...results } = fn(state.arrays, rows);
            return { outputs: {}, updates: { arrays: state.arrays.map((array, i) => results[i] ?? array), total } };
          },
        });
        return {
          run: async (times) => void (await Promise.all(Array.from({ length: times }, () => program.run({})))),
          beside: backend.name === 'wasm' ? { 'plain copy': plainCopy(4 * elements * (reads + writes)) } : {},
          profile: () => profileRuns(program, () => program.profile({})),
          check: async () => (await arrays[arrays.length - 1].read()).slice(0, CHECKED),
        };
      },
    },
  }),
);
