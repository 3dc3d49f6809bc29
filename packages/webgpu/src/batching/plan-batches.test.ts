import type { ElementwiseKernel, Program } from '@transfusion/tensor';
import fc from 'fast-check';
import type { DeviceLimits } from '../adapter/limits.js';
import { planMemory } from '../runtime/memory-plan.js';
import { planBatches, type Unit } from './plan-batches.js';

const ALIGNMENT = 16;
const LIMITS = {
  minStorageBufferOffsetAlignment: ALIGNMENT,
  maxBufferSize: 2 ** 20,
  maxStorageBufferBindingSize: 2 ** 20,
  maxStorageBuffersPerShaderStage: 8,
} as DeviceLimits;
/** Buffers overlap those beside them: lines of memory, two of which each has. */
const LINES = 12;
const ELEMENTS = 8;

/** output = a + b, by the lines they begin at. */
type Sum = [a: number, b: number, output: number];

function programOf(sums: readonly Sum[]): Program {
  const view = (line: number) => ({ buffer: line, offset: 0, strides: [1] });
  return {
    name: 'sums',
    buffers: Array.from({ length: LINES - 1 }, (_, line) => ({
      dtype: 'f32',
      elements: ELEMENTS,
      storage: { kind: 'arena', arena: 0, byteOffset: line * ALIGNMENT },
      name: `line ${line}`,
    })),
    kernels: sums.map(
      ([a, b, output]): ElementwiseKernel => ({
        kind: 'elementwise',
        shape: [ELEMENTS],
        inputs: [view(a), view(b)],
        output: view(output),
        expression: [
          { op: 'load', input: 0 },
          { op: 'load', input: 1 },
          { op: 'add', a: 0, b: 1 },
        ],
      }),
    ),
    arenaBytes: [LINES * ALIGNMENT],
    liveBytes: 0,
    outputs: [],
    flops: 0,
  };
}

/** What memory holds afterwards: kernels of a unit all read before any writes, in this order or its opposite. */
function memoryAfter(units: readonly Unit[], sums: readonly Sum[], reversed: boolean): Float64Array {
  const memory = Float64Array.from({ length: (LINES * ALIGNMENT) / 4 }, (_, i) => i + 1);
  const first = (line: number) => (line * ALIGNMENT) / 4;
  for (const unit of units) {
    const kernels = typeof unit === 'number' ? [unit] : [...unit.kernels];
    if (reversed) kernels.reverse();
    const results = kernels.map((kernel) => {
      const [a, b, output] = sums[kernel];
      const values = Float64Array.from({ length: ELEMENTS }, (_, i) => memory[first(a) + i] + memory[first(b) + i]);
      return { values, output };
    });
    for (const { values, output } of results) memory.set(values, first(output));
  }
  return memory;
}

const batchesOf = (sums: readonly Sum[], limits = LIMITS) => {
  const program = programOf(sums);
  return planBatches(program, planMemory(program, [], limits), limits);
};

const line = fc.nat({ max: LINES - 2 });
// An output that overlaps an input without being it would depend on the order within the kernel.
const sum = fc
  .tuple(line, line, line)
  .filter(([a, b, output]) => [a, b].every((input) => input === output || Math.abs(input - output) > 1));

test('whatever kernels read and write, batches compute what one after the other does', () => {
  let batched = 0;
  fc.assert(
    fc.property(fc.array(sum, { minLength: 2, maxLength: 20 }), (sums) => {
      const units = batchesOf(sums);
      batched += units.filter((unit) => typeof unit !== 'number').length;
      const kernels = units.flatMap((unit) => (typeof unit === 'number' ? [unit] : unit.kernels));
      expect([...kernels].sort((a, b) => a - b)).toEqual(sums.map((_, i) => i));
      const expected = memoryAfter(
        sums.map((_, i) => i),
        sums,
        false,
      );
      expect(memoryAfter(units, sums, false)).toEqual(expected);
      expect(memoryAfter(units, sums, true)).toEqual(expected);
    }),
    { numRuns: 500 },
  );
  expect(batched).toBeGreaterThan(120);
});

const kernelsOf = (units: readonly Unit[]) => units.map((unit) => (typeof unit === 'number' ? unit : unit.kernels));

test('a kernel that waits for a batch does not join it, those that do not go past it', () => {
  // The second waits for the first, the last for the second; the third for none.
  expect(
    kernelsOf(
      batchesOf([
        [0, 0, 2],
        [2, 2, 4],
        [6, 6, 8],
        [4, 4, 10],
      ]),
    ),
  ).toEqual([0, [1, 2], 3]);
});

test('a window is no larger than a binding may be', () => {
  const apart: Sum[] = [
    [0, 0, 0],
    [2, 2, 2],
    [10, 10, 10],
  ];
  expect(kernelsOf(batchesOf(apart))).toEqual([[0, 1, 2]]);
  const small = { ...LIMITS, maxStorageBufferBindingSize: 5 * ALIGNMENT };
  expect(kernelsOf(batchesOf(apart, small))).toEqual([[0, 1], 2]);
});
