/** @jest-environment ./test/webgpu-environment.mjs */
import type { AttentionGradKernel, AttentionKernel, AttentionShape, Backend } from '@transfusion/tensor';
import {
  type AttentionInputs,
  attentionGradReference,
  attentionReference,
  deltaReference,
} from '../testing/attention-reference.js';
import { openTestBackend } from '../testing/backend.js';
import { KernelRun } from '../testing/kernel-run.js';
import { largestError, normals, uniformSource } from '../testing/numbers.js';

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

describe.each(CASES)('$name', (shape) => {
  const { attention, inputs, dOutput } = prepare(shape);
  const reference = attentionReference(attention, inputs);
  const variants = (['software', 'hardware'] as const).filter((variant) => variant === 'software' || shape.hardware);

  test.each(variants)('forward, %s variant', async (variant) => {
    const run = new KernelRun(backends[variant]!);
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
  });

  test.each(variants)('gradient, %s variant', async (variant) => {
    const run = new KernelRun(backends[variant]!);
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
