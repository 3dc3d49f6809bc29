import { chromeTrace, formatProfile, summarise } from '../index.js';
import type { Kernel } from '../program/kernels/index.js';
import type { Program, ProgramBuffer } from '../program/program.js';

const buffer = (elements: number, dtype: ProgramBuffer['dtype'] = 'f32'): ProgramBuffer => ({
  dtype,
  elements,
  storage: { kind: 'arena', arena: 0, byteOffset: 0 },
  name: `of ${elements}`,
});
const product = (transpose: boolean): Kernel => ({
  kind: 'matmul',
  batch: 1,
  m: 10,
  n: 20,
  k: 50,
  a: { buffer: 0, transpose: false, batchStride: 0 },
  b: { buffer: 1, transpose, batchStride: 0 },
  output: 2,
});
const program: Program = {
  name: 'test',
  buffers: [buffer(500), buffer(1000, 'f16'), buffer(200)],
  kernels: [
    product(false),
    product(false),
    product(true),
    {
      kind: 'elementwise',
      shape: [10, 20],
      inputs: [
        { buffer: 2, offset: 0, strides: [20, 1] },
        { buffer: 0, offset: 0, strides: [0, 1] },
      ],
      output: { buffer: 2, offset: 0, strides: [20, 1] },
      expression: [
        { op: 'load', input: 0 },
        { op: 'load', input: 1 },
        { op: 'add', a: 0, b: 1 },
      ],
    },
  ],
  arenaBytes: [0],
  liveBytes: 0,
  outputs: [],
  flops: 60_000,
};

/** Kernel i takes `seconds[i]`; the first in two parts. */
function run(seconds: number[]) {
  let clock = 0;
  return seconds.flatMap((duration, kernel) => {
    const parts = kernel === 0 ? 2 : 1;
    return Array.from({ length: parts }, (_, part) => {
      const start = clock;
      clock += duration / parts;
      return { kernel, part: `part ${part}`, start, end: clock };
    });
  });
}

test('kernels of a kind are added up, each run apart, and the median run counts', () => {
  const rows = summarise(program, [run([1, 1, 2, 1]), run([9, 1, 2, 1]), run([2, 2, 2, 1])]);
  expect(rows.map(({ kind, calls, seconds }) => [kind, calls, seconds])).toEqual([
    ['matmul NN', 2, 4],
    ['matmul NT', 1, 2],
    ['elementwise', 1, 1],
  ]);
  expect(rows.map(({ share }) => share)).toEqual([4 / 7, 2 / 7, 1 / 7]);
  expect(rows[0].gflopPerSecond).toBeCloseTo((2 * 2 * 10 * 20 * 50) / 4e9, 15);
  // 500 and 200 f32, 1,000 f16.
  expect(rows[1].gigabytesPerSecond).toBeCloseTo((2000 + 800 + 2000) / 2e9, 15);
  // Broadcast views are read once.
  expect(rows[2].gigabytesPerSecond).toBeCloseTo((800 + 80 + 800) / 1e9, 15);
});

test('the table has a line per kind and the sum', () => {
  const lines = formatProfile(summarise(program, [run([1, 1, 2, 1])])).split('\n');
  expect(lines.map((line) => line.split(/ {2,}/)[0])).toEqual([
    'kernel',
    'matmul NN',
    'matmul NT',
    'elementwise',
    'all',
  ]);
  expect(lines[1]).toMatch(/^matmul NN +2 +2000\.000 +40\.0 % /);
  expect(lines[4]).toMatch(/^all +4 +5000\.000$/);
});

test('a Chrome trace has an event per span, in microseconds, runs one after the other', () => {
  const { traceEvents } = chromeTrace(program, [run([1, 1, 2, 1]), run([1, 1, 2, 1])]);
  expect(traceEvents.length).toBe(10);
  expect(traceEvents[5]).toMatchObject({ name: 'part 0', cat: 'matmul', ph: 'X', ts: 5e6, dur: 5e5 });
  expect(traceEvents[2].args).toMatchObject({ m: 10, k: 50, flops: 20_000, output: 'of 200: f32[200]' });
  expect(JSON.parse(JSON.stringify(traceEvents))).toEqual(traceEvents);
});

test('a group norm has positions, and a rotary embedding a buffer of that name', () => {
  const sizes = { batch: 1, positions: 4096, channels: 10, groups: 5, epsilon: 1e-6 };
  const norm: Kernel = { kind: 'groupNorm', ...sizes, x: 0, weight: 1, bias: 1, output: 2, mean: 1, rstd: 1 };
  const { traceEvents } = chromeTrace({ ...program, kernels: [norm] }, [
    [{ kernel: 0, part: 'groupNorm', start: 0, end: 1 }],
  ]);
  expect(traceEvents[0].args).toMatchObject({ positions: 4096, output: 'of 200: f32[200]' });
});
