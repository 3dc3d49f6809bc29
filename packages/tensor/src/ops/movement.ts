/** @file Operations that only move elements: reshape, permute, broadcast, slice, pad, concatenate. */

import { apply, type OpDefinition, type ReferenceArray, type Tensor } from '../graph/node.js';
import {
  checkShape,
  normaliseAxis,
  type Shape,
  sameShape,
  shapeError,
  showShape,
  sizeOf,
  stridesOf,
} from '../graph/shape.js';
import { forEachIndex } from '../reference/indexing.js';
import { reduceOp } from './reduce.js';

/** The elements of `source` seen through strides, as a new contiguous array. */
function readStrided(source: ReferenceArray, shape: Shape, strides: Shape, offset = 0): ReferenceArray {
  const result = new Float64Array(sizeOf(shape));
  let position = 0;
  forEachIndex(shape, (index) => {
    let address = offset;
    for (let axis = 0; axis < index.length; axis++) address += index[axis] * strides[axis];
    result[position++] = source[address];
  });
  return result;
}

export const reshapeOp: OpDefinition<{ shape: Shape }> = {
  name: 'reshape',
  infer([x], { shape }) {
    checkShape('reshape', shape);
    if (sizeOf(shape) !== sizeOf(x.shape)) {
      throw shapeError(
        `reshape: ${showShape(x.shape)} has ${sizeOf(x.shape)} elements, ${showShape(shape)} has ${sizeOf(shape)}`,
      );
    }
    return [{ shape, dtype: x.dtype }];
  },
  reference: ({ inputs: [x] }) => [x.slice()],
  gradient: ({ inputs: [x], gradients: [g] }) => [g?.reshape(x.shape)],
};

export const permuteOp: OpDefinition<{ axes: readonly number[] }> = {
  name: 'permute',
  infer([x], { axes }) {
    const sorted = [...axes].sort((a, b) => a - b);
    if (axes.length !== x.shape.length || sorted.some((axis, i) => axis !== i)) {
      throw shapeError(
        `permute: [${axes.join(', ')}] is not an order of the ${x.shape.length} axes of ${showShape(x.shape)}`,
      );
    }
    return [{ shape: axes.map((axis) => x.shape[axis]), dtype: x.dtype }];
  },
  reference({ inputs: [x], inputTypes: [type], outputTypes: [output], attributes: { axes } }) {
    const strides = stridesOf(type.shape);
    return [
      readStrided(
        x,
        output.shape,
        axes.map((axis) => strides[axis]),
      ),
    ];
  },
  gradient({ gradients: [g], attributes: { axes } }) {
    const inverse = axes.map((_, axis) => axes.indexOf(axis));
    return [g?.permute(inverse)];
  },
};

/** The strides with which a tensor of `from` repeats over `to`; shapes align at the last axis. */
export function broadcastStrides(from: Shape, strides: Shape, to: Shape): number[] {
  const lead = to.length - from.length;
  return to.map((length, axis) =>
    axis < lead || (from[axis - lead] === 1 && length !== 1) ? 0 : strides[axis - lead],
  );
}

export const broadcastOp: OpDefinition<{ shape: Shape }> = {
  name: 'broadcast',
  infer([x], { shape }) {
    checkShape('broadcast', shape);
    const lead = shape.length - x.shape.length;
    if (lead < 0 || x.shape.some((length, axis) => length !== 1 && length !== shape[axis + lead])) {
      throw shapeError(`broadcast: ${showShape(x.shape)} cannot repeat to ${showShape(shape)}`);
    }
    return [{ shape, dtype: x.dtype }];
  },
  reference: ({ inputs: [x], inputTypes: [type], outputTypes: [output] }) => [
    readStrided(x, output.shape, broadcastStrides(type.shape, stridesOf(type.shape), output.shape)),
  ],
  gradient({ inputs: [x], gradients: [g], attributes: { shape } }) {
    if (!g) return [undefined];
    const lead = shape.length - x.rank;
    const axes = shape.flatMap((length, axis) =>
      axis < lead || (x.shape[axis - lead] === 1 && length !== 1) ? [axis] : [],
    );
    return [axes.length === 0 ? g.reshape(x.shape) : apply(reduceOp, [g], { fn: 'sum', axes }).reshape(x.shape)];
  },
};

export const sliceOp: OpDefinition<{ begin: readonly number[]; end: readonly number[] }> = {
  name: 'slice',
  infer([x], { begin, end }) {
    x.shape.forEach((length, axis) => {
      if (!(begin[axis] >= 0 && begin[axis] < end[axis] && end[axis] <= length)) {
        throw shapeError(`slice: [${begin[axis]}, ${end[axis]}) is not a run of axis ${axis} of ${showShape(x.shape)}`);
      }
    });
    return [{ shape: begin.map((first, axis) => end[axis] - first), dtype: x.dtype }];
  },
  reference({ inputs: [x], inputTypes: [type], outputTypes: [output], attributes: { begin } }) {
    const strides = stridesOf(type.shape);
    const offset = begin.reduce((sum, first, axis) => sum + first * strides[axis], 0);
    return [readStrided(x, output.shape, strides, offset)];
  },
  gradient({ inputs: [x], gradients: [g], attributes: { begin, end } }) {
    return [g && apply(padOp, [g], { before: begin, after: end.map((last, axis) => x.shape[axis] - last) })];
  },
};

/** Zeros before and after, per axis. */
export const padOp: OpDefinition<{ before: readonly number[]; after: readonly number[] }> = {
  name: 'pad',
  infer([x], { before, after }) {
    if (
      before.length !== x.shape.length ||
      after.length !== x.shape.length ||
      [...before, ...after].some((n) => !(n >= 0))
    ) {
      throw shapeError(
        `pad: ${showShape(x.shape)} needs one non-negative pair per axis, got [${before}] and [${after}]`,
      );
    }
    return [{ shape: x.shape.map((length, axis) => before[axis] + length + after[axis]), dtype: x.dtype }];
  },
  reference({ inputs: [x], inputTypes: [type], outputTypes: [output], attributes: { before } }) {
    const result = new Float64Array(sizeOf(output.shape));
    const strides = stridesOf(output.shape);
    let position = 0;
    forEachIndex(type.shape, (index) => {
      let address = 0;
      for (let axis = 0; axis < index.length; axis++) address += (index[axis] + before[axis]) * strides[axis];
      result[address] = x[position++];
    });
    return [result];
  },
  gradient({ inputs: [x], gradients: [g], attributes: { before } }) {
    return [g && apply(sliceOp, [g], { begin: before, end: before.map((n, axis) => n + x.shape[axis]) })];
  },
};

export const concatOp: OpDefinition<{ axis: number }> = {
  name: 'concat',
  infer(inputs, { axis }) {
    const [first] = inputs;
    let length = 0;
    for (const input of inputs) {
      const aligned = input.shape.map((n, i) => (i === axis ? first.shape[axis] : n));
      if (!sameShape(aligned, first.shape) || input.dtype !== first.dtype) {
        throw shapeError(
          `concat along axis ${axis}: ${showShape(first.shape)} ${first.dtype} and ${showShape(input.shape)} ${input.dtype} may differ in that axis only`,
        );
      }
      length += input.shape[axis];
    }
    return [{ shape: first.shape.map((n, i) => (i === axis ? length : n)), dtype: first.dtype }];
  },
  reference({ inputs, inputTypes, outputTypes: [output], attributes: { axis } }) {
    const result = new Float64Array(sizeOf(output.shape));
    const inner = sizeOf(output.shape.slice(axis + 1));
    const outer = sizeOf(output.shape.slice(0, axis));
    let start = 0;
    inputs.forEach((x, i) => {
      const run = inputTypes[i].shape[axis] * inner;
      for (let o = 0; o < outer; o++) {
        result.set(x.subarray(o * run, (o + 1) * run), o * output.shape[axis] * inner + start);
      }
      start += run;
    });
    return [result];
  },
  gradient({ inputs, gradients: [g], attributes: { axis } }) {
    let start = 0;
    return inputs.map((input) => {
      const begin = input.shape.map((_, i) => (i === axis ? start : 0));
      start += input.shape[axis];
      return g && apply(sliceOp, [g], { begin, end: input.shape.map((n, i) => (i === axis ? start : n)) });
    });
  },
};

/** Joins tensors along an axis; all other lengths are equal. */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  if (tensors.length === 0) throw shapeError('concat: needs at least one tensor');
  const normalised = normaliseAxis('concat', axis, tensors[0].rank);
  return tensors.length === 1 ? tensors[0] : apply(concatOp, tensors, { axis: normalised });
}
