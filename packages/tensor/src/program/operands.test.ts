import { lower } from '../compiler/lower.js';
import { simplify } from '../compiler/simplify.js';
import { outputsOf, symbolicInputs } from '../conformance/check.js';
import { type ConformanceCase, conformanceCases } from '../conformance/index.js';
import { kernelBytes, kernelFlops } from './cost.js';
import { type KernelDescriptor, memoryBound, reads, writes } from './kernels/descriptor.js';
import { type Kernel, kernelDescriptors } from './kernels/index.js';
import type { BufferIndex, View } from './kernels/operand.js';
import { operandsOf } from './operands.js';
import type { ProgramBuffer } from './program.js';

/** The kernels of a case and of its gradients, with what the compiler says they read and write. */
function unitsOf({ inputs, ...testCase }: ConformanceCase) {
  const outputs = simplify(Object.values(outputsOf({ inputs, ...testCase }, symbolicInputs(inputs))));
  return lower({ outputs, updates: [], copiedStates: new Set(), maxInputs: 16, f16: false }).units;
}

test('descriptions agree with the order that the compiler keeps, for kernels of every kind', () => {
  const kinds = new Set<string>();
  for (const unit of conformanceCases.flatMap(unitsOf)) {
    kinds.add(unit.kernel.kind);
    const operands = operandsOf(unit.kernel);
    const buffers = (access: string[]) =>
      new Set(operands.filter(({ use }) => access.includes(use.access)).map(({ buffer }) => buffer));
    const [read, written] = [unit.reads, unit.writes].map((versions) => new Set(versions.map(({ buffer }) => buffer)));
    expect(buffers(['write', 'update'])).toEqual(written);
    for (const buffer of buffers(['read', 'update'])) expect(read).toContain(buffer);
    for (const buffer of read) expect(operands.map((operand) => operand.buffer)).toContain(buffer);
  }
  expect([...kinds].sort()).toEqual(Object.keys(kernelDescriptors).sort());
});

const buffer = (elements: number, dtype: ProgramBuffer['dtype'] = 'f32'): ProgramBuffer => ({
  ...{ dtype, elements, name: 'test' },
  storage: { kind: 'arena', arena: 0, byteOffset: 0 },
});

describe('cost', () => {
  test('an update is read and written, and what a kernel names twice is read once', () => {
    const buffers = [buffer(100), buffer(3), buffer(1)];
    const constants = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 };
    const operands = { parameter: 0, gradient: 0, m: 0, v: 0, hyper: 1, gradientScale: 2 };
    const step: Kernel = { kind: 'adamw', elements: 100, ...operands, ...constants };
    expect(kernelBytes(step, { buffers })).toBe(4 * (2 * 100 + 3 + 1));
    expect(kernelFlops(step)).toBe(0);
  });

  test('rows by index count as often as they are named, in their own type', () => {
    const buffers = [buffer(1000, 'f16'), buffer(5, 'i32'), buffer(50)];
    const operands = { table: 0, indices: 1, output: 2 };
    const kernel: Kernel = { kind: 'gather', ...operands, rows: 5, tableRows: 100, width: 10 };
    expect(kernelBytes(kernel, { buffers })).toBe(2 * 50 + 4 * 5 + 4 * 50);
  });

  test('an epilogue reads what its views show of their buffers', () => {
    const buffers = [buffer(6), buffer(12), buffer(8), buffer(4)];
    const side = { transpose: false, batchStride: 0 };
    const kernel: Kernel = {
      ...{ kind: 'matmul', batch: 1, m: 2, n: 4, k: 3, output: 2 },
      a: { buffer: 0, ...side },
      b: { buffer: 1, ...side },
      epilogue: { views: [{ buffer: 3, offset: 0, strides: [0, 0, 1] }], expression: [{ op: 'load', input: 1 }] },
    };
    expect(kernelBytes(kernel, { buffers })).toBe(4 * (6 + 12 + 8 + 4));
    expect(kernelFlops(kernel)).toBe(2 * 2 * 4 * 3);
  });
});

/** A kernel that there is not: the compiler of TypeScript refuses what its description leaves out. */
interface Scaled {
  kind: 'scaled';
  rows: number;
  x: BufferIndex;
  factors: View[];
  output: BufferIndex;
}

const operands = { x: reads<Scaled>('plain'), factors: reads<Scaled>('plain'), output: writes<Scaled>('exact') };
const space = ({ rows }: Scaled) => [rows];

export const described: KernelDescriptor<Scaled> = { family: 'other', operands, space, flops: memoryBound };
// @ts-expect-error an operand is missing, and with it its bytes and its precision
export const partly: KernelDescriptor<Scaled> = { ...described, operands: { x: operands.x, output: operands.output } };
// @ts-expect-error a size is no operand
export const sized: KernelDescriptor<Scaled> = { ...described, operands: { ...operands, rows: reads('exact') } };
// @ts-expect-error views need the space that they are over
export const spaceless: KernelDescriptor<Scaled> = { family: 'other', operands, flops: memoryBound };
// @ts-expect-error without FLOPs
export const free: KernelDescriptor<Scaled> = { family: 'other', operands, space };
