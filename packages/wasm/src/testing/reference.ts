/** @file For tests: f64 references of expressions, reductions and products, one element at a time. */
import type { Expression, MatmulKernel, View } from '@transfusion/tensor';
import { product } from '../views.js';

const SQRT_PI = Math.sqrt(Math.PI);

/** Erf by its Taylor series, good to 1e-12 for |x| < 4, and 1 beyond. */
function erf(x: number): number {
  if (Math.abs(x) > 4) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / SQRT_PI) * sum;
}

const unary: Record<string, (x: number) => number> = {
  neg: (x) => -x,
  abs: Math.abs,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  erf,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  floor: Math.floor,
  reciprocal: (x) => 1 / x,
  toFloat: (x) => x,
  toInt: Math.trunc,
};
const binary: Record<string, (x: number, y: number) => number> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  max: Math.max,
  min: Math.min,
  pow: (x, y) => x ** y,
  less: (x, y) => Number(x < y),
  lessEqual: (x, y) => Number(x <= y),
  equal: (x, y) => Number(x === y),
  notEqual: (x, y) => Number(x !== y),
};

/** The value of an expression whose loads are `inputs`. */
function evaluateExpression(expression: Expression, inputs: number[]): number {
  const registers: number[] = [];
  for (const step of expression) {
    if (step.op === 'load') registers.push(inputs[step.input]);
    else if (step.op === 'constant') registers.push(Math.fround(step.value));
    else if (step.op === 'select') registers.push(registers[registers[step.condition] !== 0 ? step.a : step.b]);
    else if ('b' in step) registers.push(binary[step.op](registers[step.a], registers[step.b]));
    else registers.push(unary[step.op](registers[step.a]));
  }
  return registers[registers.length - 1];
}

/** The expression at every position of `shape`, in row-major order. */
export function evaluateAll(
  shape: number[],
  inputs: View[],
  contents: ArrayLike<number>[],
  expression: Expression,
): Float64Array {
  const position = shape.map(() => 0);
  const offsets = inputs.map((view) => view.offset);
  const values = new Array<number>(inputs.length);
  const result = new Float64Array(product(shape));
  for (let index = 0; index < result.length; index++) {
    for (let i = 0; i < inputs.length; i++) values[i] = contents[inputs[i].buffer][offsets[i]];
    result[index] = evaluateExpression(expression, values);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const wraps = ++position[axis] === shape[axis];
      if (wraps) position[axis] = 0;
      for (let i = 0; i < inputs.length; i++) {
        offsets[i] += inputs[i].strides[axis] * (wraps ? 1 - shape[axis] : 1);
      }
      if (!wraps) break;
    }
  }
  return result;
}

/** The plain product of a kernel (no epilogue), [batch, m, n]. */
export function multiply(kernel: MatmulKernel, left: Float32Array, right: Float32Array): Float64Array {
  const { batch, m, n, k, a, b } = kernel;
  const result = new Float64Array(batch * m * n);
  for (let matrix = 0; matrix < batch; matrix++) {
    for (let i = 0; i < m; i++) {
      for (let depth = 0; depth < k; depth++) {
        const x = left[matrix * a.batchStride + (a.transpose ? depth * m + i : i * k + depth)];
        const step = b.transpose ? k : 1;
        let source = matrix * b.batchStride + (b.transpose ? depth : depth * n);
        const row = (matrix * m + i) * n;
        for (let j = 0; j < n; j++, source += step) result[row + j] += x * right[source];
      }
    }
  }
  return result;
}
