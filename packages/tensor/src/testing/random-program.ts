/** @file Random graphs with state, as lists of numbers, so that a failing one can be shrunk. */
import { concat, constant, evaluate, gather, PhiloxStream, select, sizeOf, type Tensor, writeRows } from '../index.js';

/** One operation: which, and its operands among the tensors made so far. */
export type Step = readonly [operation: number, a: number, b: number];

export interface RandomProgram {
  steps: readonly Step[];
  /** Outputs and new values of the states, among the tensors made. A state with `null` is not updated. */
  outputs: readonly number[];
  updates: readonly (number | null)[];
}

export const STATE_SHAPE = [3, 4];

/** Brings a tensor to the shape of a state. */
function asState(x: Tensor): Tensor {
  return x.size === sizeOf(STATE_SHAPE) ? x.reshape(STATE_SHAPE) : x.mean().broadcastTo(STATE_SHAPE);
}

const operations: readonly ((a: Tensor, b: Tensor) => Tensor)[] = [
  (a, b) => (String(a.shape) === String(b.shape) ? a.add(b) : a.add(b.mean())),
  (a, b) => (String(a.shape) === String(b.shape) ? a.mul(b).tanh() : a.sub(b.max())),
  (a) => a.mul(0.5),
  (a) => a.sigmoid(),
  (a) => a.detach(),
  (a) => a.sub(0.25).square(),
  (a) => a.neg().exp().add(1).reciprocal(),
  (a, b) => select(a.less(0.5), a, String(a.shape) === String(b.shape) ? b : 0.125),
  (a) => (a.rank >= 2 ? a.transpose() : a.reshape([1, ...a.shape])),
  (a) => a.reshape([a.size]),
  (a) => (a.rank > 0 ? a.permute(a.shape.map((_, axis) => a.rank - 1 - axis)) : a),
  (a) => (a.rank > 0 ? a.mean(0) : a),
  (a) => (a.rank > 1 ? a.max(-1, true) : a),
  (a) => (a.rank > 1 ? a.mean([0, 1]) : a.mean()),
  (a) => (a.rank < 3 && a.size <= 40 ? a.broadcastTo([2, ...a.shape]) : a),
  (a) => (a.rank > 0 && a.shape[0] > 1 ? a.slice(0, 1, a.shape[0]) : a),
  (a) => (a.rank > 0 && a.size <= 40 ? a.pad(-1, 1, 2) : a),
  (a, b) => (a.rank > 0 && String(a.shape) === String(b.shape) && a.size <= 40 ? concat([a, b, a], 0) : a),
  (a) => (a.rank === 2 ? a.matmul(a, { transposeB: true }).mul(0.1) : a),
  (a, b) => (a.rank >= 2 && b.rank === 2 && b.shape[0] === a.shape.at(-1) ? a.matmul(b).add(1).tanh() : a),
  (a, b) => (a.rank === 2 && b.rank === 2 && b.shape[0] === a.shape[0] ? a.matmul(b, { transposeA: true }) : a),
  (a) => (a.rank > 0 ? gather(a, constant(Int32Array.of(1, -1, 0), [3])) : a),
  (a, b) =>
    a.rank > 0 && String(a.shape) === String(b.shape)
      ? writeRows(
          a,
          constant(
            Int32Array.from({ length: a.shape[0] }, (_, i) => (i === 0 ? 0 : -1)),
            [a.shape[0]],
          ),
          b,
        )
      : a,
];

/** Adds the program's operations to the graph. Values stay of the order of one. */
export function buildRandomProgram(
  { steps, outputs, updates }: RandomProgram,
  leaves: readonly Tensor[],
): { outputs: Tensor[]; updates: (Tensor | undefined)[] } {
  const made = [...leaves];
  for (const [operation, a, b] of steps) {
    made.push(operations[operation % operations.length](made[a % made.length], made[b % made.length]));
  }
  const pick = (i: number) => made[made.length - 1 - (i % made.length)];
  return {
    outputs: outputs.map(pick),
    updates: updates.map((i) => (i === null ? undefined : asState(pick(i)))),
  };
}

/** Normal numbers for a leaf. */
export function leafValues(size: number, stream: number): Float32Array {
  const random = new PhiloxStream(23, stream);
  return Float32Array.from({ length: size }, () => random.normal());
}

/** The largest difference from the f64 reference, relative to 1 + |expected|; Infinity where only one is a number. */
export function largestError(actual: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): number {
  let largest = 0;
  expected.forEach((array, i) => {
    if (array.length !== actual[i].length) largest = Number.POSITIVE_INFINITY;
    for (let j = 0; j < array.length; j++) {
      const [a, e] = [actual[i][j], array[j]];
      const error = Object.is(a, e) ? 0 : Math.abs(a - e) / (1 + Math.abs(e));
      largest = Math.max(largest, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
    }
  });
  return largest;
}

/** Reference values, by the tensors that were traced. */
export function expectedValues(
  outputs: readonly Tensor[],
  bindings: readonly [Tensor, ArrayLike<number>][],
): ArrayLike<number>[] {
  return evaluate(outputs, new Map(bindings));
}
