/** @file Elementwise operations: arithmetic, comparison, select, elementary functions. Operands have equal shapes. */
import { TransfusionError } from '../errors.js';
import { apply, type OpDefinition, type Tensor, type TensorType } from '../graph/node.js';
import { sameShape, shapeError, showShape } from '../graph/shape.js';
import type { BinaryOp, UnaryOp } from '../program/kernels/index.js';
import { erf } from '../reference/erf.js';
import { scalar } from './leaf.js';

export function requireDType(what: string, type: TensorType, dtype: 'f32' | 'i32'): void {
  if (type.dtype !== dtype) {
    throw new TransfusionError({
      code: 'TENSOR_DTYPE_MISMATCH',
      message: `${what} needs ${dtype}, got ${type.dtype} ${showShape(type.shape)}`,
      fix: dtype === 'f32' ? 'convert it with .toFloat() first' : 'convert it with .toInt() first',
    });
  }
}

const unaryReference: Record<UnaryOp, (a: number) => number> = {
  neg: (a) => -a,
  abs: Math.abs,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  rsqrt: (a) => 1 / Math.sqrt(a),
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  erf,
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  floor: Math.floor,
  reciprocal: (a) => 1 / a,
  toFloat: (a) => a,
  toInt: Math.trunc,
};

/** d unary(x) / dx as a tensor, from x and y = unary(x). */
const unaryDerivative: Partial<Record<UnaryOp, (x: Tensor, y: Tensor) => Tensor>> = {
  neg: () => scalar(-1),
  abs: (x) => x.less(0).mul(-2).add(1),
  exp: (_, y) => y,
  log: (x) => x.reciprocal(),
  sqrt: (_, y) => y.reciprocal().mul(0.5),
  rsqrt: (_, y) => y.mul(y).mul(y).mul(-0.5),
  sin: (x) => x.cos(),
  cos: (x) => x.sin().neg(),
  tanh: (_, y) => y.mul(y).neg().add(1),
  erf: (x) =>
    x
      .mul(x)
      .neg()
      .exp()
      .mul(2 / Math.sqrt(Math.PI)),
  sigmoid: (_, y) => y.mul(y.neg().add(1)),
  reciprocal: (_, y) => y.mul(y).neg(),
};

export const unaryOp: OpDefinition<{ fn: UnaryOp }> = {
  name: 'unary',
  infer([a], { fn }) {
    requireDType(fn, a, fn === 'toFloat' ? 'i32' : 'f32');
    return [{ shape: a.shape, dtype: fn === 'toInt' ? 'i32' : 'f32' }];
  },
  reference: ({ inputs: [a], attributes: { fn } }) => [a.map(unaryReference[fn])],
  gradient({ inputs: [x], outputs: [y], gradients: [g], attributes: { fn } }) {
    return [g && unaryDerivative[fn] ? g.mul(unaryDerivative[fn](x, y)) : undefined];
  },
};

const binaryReference: Record<BinaryOp, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  pow: (a, b) => a ** b,
  less: (a, b) => (a < b ? 1 : 0),
  lessEqual: (a, b) => (a <= b ? 1 : 0),
  equal: (a, b) => (a === b ? 1 : 0),
  notEqual: (a, b) => (a !== b ? 1 : 0),
};

/** Gradients with respect to a and b from that of y. At ties of max and min, a receives it. Comparisons have none. */
const binaryGradient: Partial<Record<BinaryOp, (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => [Tensor, Tensor]>> = {
  add: (g) => [g, g],
  sub: (g) => [g, g.neg()],
  mul: (g, a, b) => [g.mul(b), g.mul(a)],
  div: (g, _, b, y) => [g.div(b), g.mul(y).div(b).neg()],
  max: (g, a, b) => [g.mul(b.lessEqual(a)), g.mul(a.less(b))],
  min: (g, a, b) => [g.mul(a.lessEqual(b)), g.mul(b.less(a))],
  pow: (g, a, b, y) => [g.mul(b).mul(a.pow(b.sub(1))), g.mul(y).mul(a.log())],
};

export const binaryOp: OpDefinition<{ fn: BinaryOp }> = {
  name: 'binary',
  infer([a, b], { fn }) {
    requireDType(fn, a, 'f32');
    requireDType(fn, b, 'f32');
    if (!sameShape(a.shape, b.shape)) {
      throw shapeError(`${fn}(a, b): a is ${showShape(a.shape)}, b is ${showShape(b.shape)}; they must be equal`);
    }
    return [{ shape: a.shape, dtype: 'f32' }];
  },
  reference({ inputs: [a, b], attributes: { fn } }) {
    const compute = binaryReference[fn];
    return [a.map((value, i) => compute(value, b[i]))];
  },
  gradient({ inputs: [a, b], outputs: [y], gradients: [g], attributes: { fn } }) {
    return g && binaryGradient[fn] ? binaryGradient[fn](g, a, b, y) : [undefined, undefined];
  },
};

/** condition != 0 ? a : b. Works on f32 and on i32 (condition is f32). */
export const selectOp: OpDefinition<null> = {
  name: 'select',
  infer([condition, a, b]) {
    requireDType('select(condition)', condition, 'f32');
    requireDType('select(condition, a, b): b', b, a.dtype);
    if (!sameShape(condition.shape, a.shape) || !sameShape(a.shape, b.shape)) {
      throw shapeError(
        `select(condition, a, b): shapes ${[condition, a, b].map((t) => showShape(t.shape)).join(', ')} must be equal`,
      );
    }
    return [{ shape: a.shape, dtype: a.dtype }];
  },
  reference: ({ inputs: [condition, a, b] }) => [a.map((value, i) => (condition[i] !== 0 ? value : b[i]))],
  gradient({ inputs: [condition], gradients: [g] }) {
    if (!g) return [undefined, undefined, undefined];
    const zero = scalar(0).broadcastTo(g.shape);
    return [undefined, apply(selectOp, [condition, g, zero], null), apply(selectOp, [condition, zero, g], null)];
  },
};
