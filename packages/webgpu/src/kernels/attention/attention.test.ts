/** @jest-environment ./test/webgpu-environment.mjs */
import type { AttentionGradKernel, AttentionKernel, AttentionShape, Backend } from '@transfusion/tensor';
import type { DeviceLimits } from '../../adapter/limits.js';
import type { LoweringContext, LoweringDevice } from '../../lowering.js';
import { kernelContext } from '../../runtime/kernel-context.js';
import {
  type AttentionInputs,
  attentionGradReference,
  attentionReference,
  deltaReference,
} from '../../testing/attention-reference.js';
import { openTestBackend } from '../../testing/backend.js';
import { emulatedMatrixWgsl } from '../../testing/emulated-matrices.js';
import { KernelRun } from '../../testing/kernel-run.js';
import { compileOnNullDevice, NULL_LIMITS } from '../../testing/null-device.js';
import { largestError, normals, uniformSource } from '../../testing/numbers.js';
import { type SubgroupMatrixConfig, subgroupMatrixWgsl } from '../products/subgroup-matrix-wgsl.js';
import { lowerAttention, lowerPartialGrad } from './attention.js';
import { attentionPlans } from './candidates.js';
import { type AttentionPart, isMatrixPlan, type MatrixPlan, planName, type TilePlan } from './plan.js';

/** Of a GPU, what plans ask for; buffers of `isHalf` hold f16. */
function contextOf(device: Partial<LoweringDevice> = {}, isHalf = false): LoweringContext {
  const large = { software: false, maxInvocationsPerWorkgroup: 1024, maxWorkgroupStorageBytes: 49152, ...device };
  return { device: large as LoweringDevice, isHalf: () => isHalf } as unknown as LoweringContext;
}

/** What GPUs run differs from what software adapters run; both are tested on whatever adapter there is. */
const backends: Record<'software' | 'hardware', Backend | undefined> = { software: undefined, hardware: undefined };
beforeAll(async () => {
  backends.software = await openTestBackend();
  backends.hardware = await openTestBackend({ asHardware: true });
});
afterAll(async () => {
  await backends.software?.dispose();
  await backends.hardware?.dispose();
});

// On SwiftShader a shader with 15 KiB of workgroup memory can take seconds to compile.

type Intervals = (query: number, shape: AttentionShape) => [number, number];

/** Two documents in a row, each with text (causal) and an image (its patches see each other). */
const transfusion: Intervals = (query, { keys }) => {
  const split = Math.floor(keys * 0.6);
  const documents = [
    { start: 0, image: [3, Math.floor(split / 2)] },
    { start: split, image: [split + 1, split + Math.floor(keys / 5)] },
  ];
  const { start, image } = documents[query < split ? 0 : 1]!;
  const inImage = query >= image[0]! && query < image[1]!;
  return [start, inImage ? image[1]! : query + 1];
};
const causal: Intervals = (query) => [0, query + 1];
const everything: Intervals = (_, { keys }) => [0, keys];
/** Anything an i32 can say: beyond both ends, reversed, empty. */
const wild: Intervals = (query, { keys }) => {
  const uniform = uniformSource(query + 1);
  if (query % 4 === 0) return [-(2 ** 31), 2 ** 31 - 1];
  return [Math.floor(uniform() * keys * 1.5) - 3, Math.floor(uniform() * keys * 1.5) - 3];
};
const nothing: Intervals = () => [0, 0];

interface Case extends Omit<AttentionShape, 'scale'> {
  name: string;
  /** Tested also as hardware: each takes another path there. */
  hardware?: true;
  intervals: Intervals;
}

const CASES: Case[] = [
  { name: 'one of everything', batch: 1, queries: 1, keys: 1, heads: 1, kvHeads: 1, headDim: 1, intervals: causal },
  {
    name: 'packed documents',
    hardware: true,
    batch: 2,
    queries: 65,
    keys: 65,
    heads: 2,
    kvHeads: 2,
    headDim: 32,
    intervals: transfusion,
  },
  { name: 'grouped heads', batch: 1, queries: 33, keys: 33, heads: 6, kvHeads: 2, headDim: 8, intervals: causal },
  {
    name: 'decoding',
    hardware: true,
    batch: 2,
    queries: 1,
    keys: 300,
    heads: 4,
    kvHeads: 1,
    headDim: 16,
    intervals: everything,
  },
  { name: 'few queries', batch: 1, queries: 9, keys: 130, heads: 1, kvHeads: 1, headDim: 64, intervals: wild },
  {
    name: 'odd head',
    hardware: true,
    batch: 1,
    queries: 17,
    keys: 35,
    heads: 3,
    kvHeads: 3,
    headDim: 17,
    intervals: wild,
  },
  {
    name: 'wide head',
    hardware: true,
    batch: 1,
    queries: 33,
    keys: 47,
    heads: 1,
    kvHeads: 1,
    headDim: 132,
    intervals: wild,
  },
  { name: 'nothing seen', batch: 1, queries: 33, keys: 3, heads: 1, kvHeads: 1, headDim: 4, intervals: nothing },
];

function prepare(shape: Case) {
  const { batch, queries, keys, heads, kvHeads, headDim } = shape;
  const attention: AttentionShape = { batch, queries, keys, heads, kvHeads, headDim, scale: 1 / Math.sqrt(headDim) };
  const intervals = Array.from({ length: batch * queries }, (_, i) => shape.intervals(i % queries, attention));
  const inputs = {
    q: normals(batch * queries * heads * headDim, 51),
    k: normals(batch * keys * kvHeads * headDim, 52),
    v: normals(batch * keys * kvHeads * headDim, 53),
    begin: Int32Array.from(intervals, ([low]) => low),
    end: Int32Array.from(intervals, ([, high]) => high),
  };
  return { attention, inputs, dOutput: normals(inputs.q.length, 54) };
}

async function checkForward(backend: Backend, shape: Case): Promise<void> {
  const { attention, inputs } = prepare(shape);
  const reference = attentionReference(attention, inputs);
  const run = new KernelRun(backend);
  const kernel: AttentionKernel = {
    kind: 'attention',
    sharedKeys: false,
    ...attention,
    q: run.input(inputs.q),
    k: run.input(inputs.k),
    v: run.input(inputs.v),
    begin: run.input(inputs.begin),
    end: run.input(inputs.end),
    output: run.output(inputs.q.length),
    lse: run.output(reference.lse.length),
  };
  const [output, lse] = await run.run([kernel], [kernel.output, kernel.lse]);
  expect(largestError(output!, reference.output)).toBeLessThan(3e-6);
  expect(largestError(lse!, reference.lse)).toBeLessThan(2e-6);
}

async function checkGradient(backend: Backend, shape: Case): Promise<void> {
  const { attention, inputs, dOutput } = prepare(shape);
  const reference = attentionReference(attention, inputs);
  const run = new KernelRun(backend);
  const kernel: AttentionGradKernel = {
    kind: 'attentionGrad',
    ...attention,
    q: run.input(inputs.q),
    k: run.input(inputs.k),
    v: run.input(inputs.v),
    begin: run.input(inputs.begin),
    end: run.input(inputs.end),
    lse: run.input(Float32Array.from(reference.lse)),
    delta: run.input(Float32Array.from(deltaReference(attention, reference.output, dOutput))),
    dOutput: run.input(dOutput),
    dq: run.output(inputs.q.length),
    dk: run.output(inputs.k.length),
    dv: run.output(inputs.v.length),
  };
  const [dq, dk, dv] = await run.run([kernel], [kernel.dq, kernel.dk, kernel.dv]);
  const expected = attentionGradReference(attention, inputs, dOutput);
  expect(largestError(dq!, expected.dq)).toBeLessThan(1e-5);
  expect(largestError(dk!, expected.dk)).toBeLessThan(1e-5);
  expect(largestError(dv!, expected.dv)).toBeLessThan(1e-5);
}

describe.each(CASES)('$name', (shape) => {
  const variants = (['software', 'hardware'] as const).filter((variant) => variant === 'software' || shape.hardware);
  test.each(variants)('forward, %s variant', (variant) => checkForward(backends[variant]!, shape));
  test.each(variants)('gradient, %s variant', (variant) => checkGradient(backends[variant]!, shape));
});

describe('threads with more rows and columns', () => {
  const plan = { strips: 2, lanes: 4, rowsPerThread: 8, columnsPerThread: 4, staged: false, chunk: 9 };
  test.each<TilePlan>([
    plan,
    { ...plan, columnsPerThread: 8, staged: true, chunk: 4 },
    { ...plan, rowsPerThread: 4, columnsPerThread: 8, staged: true, chunk: 16 },
  ])('$rowsPerThread x $columnsPerThread, staged: $staged, $chunk', async (each) => {
    const backend = await openTestBackend({ plans: () => [each] });
    try {
      const shape = { ...CASES[1]!, batch: 1, queries: 37, keys: 37, heads: 2, kvHeads: 1, headDim: 36 };
      await checkForward(backend, shape);
      await checkGradient(backend, shape);
    } finally {
      await backend.dispose();
    }
  });

  test('plans for a GPU fit into its workgroups, each once', () => {
    const small = contextOf({ maxWorkgroupStorageBytes: 16384 });
    for (const rows of [1, 4, 9, 300]) {
      for (const headDim of [17, 32, 64, 256]) {
        const kernel = { queries: rows, keys: rows, headDim } as AttentionKernel & AttentionGradKernel;
        for (const part of ['forward', 'dq', 'dk dv'] as const) {
          const plans = attentionPlans({ part, kernel }, small);
          const names = plans.map(planName);
          expect(new Set(names).size).toBe(names.length);
          expect(attentionPlans({ part, kernel }, contextOf()).length).toBeGreaterThanOrEqual(plans.length);
          expect(names).not.toContain('16x16 threads of 4x4, staged by 16');
        }
      }
    }
    const kernel = { queries: 300, keys: 300, headDim: 64 } as AttentionKernel;
    const names = attentionPlans({ part: 'forward', kernel }, contextOf()).map(planName);
    expect(names[0]).toBe('8x8 threads of 4x4, staged by 16');
    expect(names).toContain('16x16 threads of 4x4, staged by 16');
  });
});

describe('by subgroup matrices', () => {
  const APPLE = { component: 'f32' as const, M: 8, N: 8, K: 8 };
  const NVIDIA = { component: 'f16' as const, M: 16, N: 16, K: 16 };
  const INTEL = { ...NVIDIA, M: 8 };
  const shape = { subgroups: 2, rowMatrices: 1, columns: 16 };

  test.each([
    ['two lanes a row', shape],
    ['one lane a row', { ...shape, rowMatrices: 2, columns: 8 }],
  ])('emulated, %s', async (_, each) => {
    // Subgroups are half as large as they may be, so half of them multiply nothing.
    const plan: MatrixPlan = { ...each, config: APPLE, subgroupLanes: 16, wgsl: () => emulatedMatrixWgsl(APPLE, 8) };
    const backend = await openTestBackend({ plans: () => [plan] });
    try {
      const some = { ...CASES[1]!, batch: 1, queries: 37, keys: 37, heads: 2, kvHeads: 1, headDim: 16 };
      await checkForward(backend, some);
      await checkGradient(backend, some);
      await checkForward(backend, { ...some, keys: 20, intervals: wild });
      await checkGradient(backend, { ...some, keys: 20, intervals: nothing });
    } finally {
      await backend.dispose();
    }
  });

  test.each([
    ['f16 16x16x16', NVIDIA],
    ['f16 8x16x16', INTEL],
    ['f32 8x8x8', APPLE],
  ])('the builtins of %s compile', (_, config) => {
    const dtype = config.component;
    const buffers = Array.from({ length: 11 }, (_, index) => ({
      dtype: [3, 4].includes(index) ? ('i32' as const) : dtype,
      ...{ elements: 2 ** 16, name: 'operand', storage: { kind: 'input', index } as const },
    }));
    const lowering = { ...NULL_LIMITS, software: false };
    const limits = { minStorageBufferOffsetAlignment: 256 } as DeviceLimits;
    const { context } = kernelContext({ program: { buffers }, limits, lowering });
    const sizes = { batch: 2, queries: 70, keys: 70, heads: 4, kvHeads: 2, headDim: 32, scale: 0.5 };
    const operands = { ...sizes, q: 0, k: 1, v: 2, begin: 3, end: 4, lse: 6 };
    const forward: AttentionKernel = { kind: 'attention', sharedKeys: false, ...operands, output: 5 };
    const gradient: AttentionGradKernel = {
      kind: 'attentionGrad',
      ...{ ...operands, delta: 7, dOutput: 5, dq: 8, dk: 9, dv: 10 },
    };
    const rowMatrices = dtype === 'f16' ? 16 / config.M : 1;
    const wgsl = () => subgroupMatrixWgsl(config, 'template');
    const plan: MatrixPlan = { ...shape, rowMatrices, config, subgroupLanes: 128, wgsl };
    const codes = [
      ...lowerAttention(forward, context, plan),
      ...(['dq', 'dk dv'] as const).flatMap((part) => lowerPartialGrad({ part, kernel: gradient }, context, plan)),
    ].map(({ code }) => code);
    expect(codes.filter((code) => code.includes('subgroupMatrixMultiplyAccumulate'))).toHaveLength(3);
    expect(compileOnNullDevice(codes).flat()).toEqual([]);
  });

  test('are among the plans where they divide heads of their own type, and fit', () => {
    const kernel = { queries: 300, keys: 300, headDim: 64 } as AttentionKernel & AttentionGradKernel;
    const plansOf = (configs: SubgroupMatrixConfig[], isHalf: boolean, changes: object = {}, part = 'forward') => {
      const subgroupMatrices = { configs, orderForm: 'template' as const };
      const all = { part, kernel: Object.assign({}, kernel, changes) } as AttentionPart;
      const plans = attentionPlans(all, contextOf({ subgroupMatrices, subgroupMaxSize: 32 }, isHalf));
      return plans.filter(isMatrixPlan).map(planName);
    };
    const some = (block: string) => `subgroup matrices ${block} of f16 16x16x16`;
    const blocks = ['64x32 by 4', '64x16 by 4', '128x16 by 8', '32x32 by 2'].map(some);
    expect(plansOf([NVIDIA], true)).toEqual(blocks);
    expect(plansOf([NVIDIA], true, {}, 'dk dv')).toEqual(['64x16 by 4', '32x32 by 2'].map(some));
    expect(plansOf([NVIDIA, APPLE], false, { headDim: 40 })).toEqual([
      'subgroup matrices 64x32 by 4 of f32 8x8x8',
      'subgroup matrices 64x16 by 4 of f32 8x8x8',
      'subgroup matrices 32x32 by 2 of f32 8x8x8',
    ]);
    expect(plansOf([NVIDIA], false)).toEqual([]);
    expect(plansOf([NVIDIA], true, { headDim: 40 })).toEqual([]);
    expect(plansOf([NVIDIA], true, { queries: 16 })).toEqual([]);
  });
});

test('one buffer may be query, key and value', async () => {
  const shape = { batch: 1, queries: 33, keys: 33, heads: 2, kvHeads: 2, headDim: 12, scale: 0.5 };
  const x = normals(33 * 2 * 12, 55);
  const begin = new Int32Array(33);
  const end = Int32Array.from(begin, (_, i) => i + 1);
  const run = new KernelRun(backends.software!);
  const [q, output, lse] = [run.input(x), run.output(x.length), run.output(66)];
  const operands = { q, k: q, v: q, begin: run.input(begin), end: run.input(end), output, lse };
  const [result] = await run.run([{ kind: 'attention', sharedKeys: false, ...shape, ...operands }], [output]);
  expect(largestError(result!, attentionReference(shape, { q: x, k: x, v: x, begin, end }).output)).toBeLessThan(3e-6);
});

test('NaN in a query, a key or a value reaches all who see it', async () => {
  const shape = { batch: 1, queries: 20, keys: 40, heads: 1, kvHeads: 1, headDim: 8, scale: 0.3 };
  const [q, k, v] = [normals(20 * 8, 61), normals(40 * 8, 62), normals(40 * 8, 63)];
  q[3 * 8 + 1] = k[36 * 8 + 2] = v[38 * 8 + 3] = Number.NaN;
  // Only queries 10 and 11 see the broken key, only 11 the broken value.
  const end = Int32Array.from({ length: 20 }, (_, i) => (i === 10 ? 37 : i === 11 ? 39 : 8));
  const run = new KernelRun(backends.software!);
  const [output, lse] = [run.output(160), run.output(20)];
  const operands = { q: run.input(q), k: run.input(k), v: run.input(v), output, lse };
  const intervals = { begin: run.input(new Int32Array(20)), end: run.input(end) };
  const [result, sums] = await run.run(
    [{ kind: 'attention', sharedKeys: false, ...shape, ...operands, ...intervals }],
    [output, lse],
  );
  for (let i = 0; i < 20; i++) expect(Number.isNaN(sums![i])).toBe([3, 10, 11].includes(i));
  for (const i of [3, 10, 11]) expect(result!.subarray(i * 8, i * 8 + 8).every(Number.isNaN)).toBe(true);
});

test('the gradient reference is the derivative of the forward reference', () => {
  const { attention, inputs, dOutput } = prepare({
    ...CASES[2]!,
    queries: 9,
    keys: 11,
    headDim: 3,
    intervals: wild,
  });
  const gradients = attentionGradReference(attention, inputs, dOutput);
  const step = 1e-5;
  for (const [name, gradient] of [
    ['q', gradients.dq],
    ['k', gradients.dk],
    ['v', gradients.dv],
  ] as const) {
    const moved = (i: number, by: number): number => {
      const values = Float64Array.from(inputs[name]);
      values[i]! += by;
      const changed: AttentionInputs = { ...inputs, [name]: values };
      return attentionReference(attention, changed).output.reduce((sum, value, n) => sum + value * dOutput[n]!, 0);
    };
    const expected = Array.from(gradient, (_, i) => (moved(i, step) - moved(i, -step)) / (2 * step));
    expect(largestError(gradient, expected)).toBeLessThan(1e-8);
  }
});
