/** @file What the methods of a tensor do: each adds operations to the graph. `graph/node.ts` documents them. */
import { apply, type GraphNode, type Operand, setTensorClass, type Tensor } from './graph/node.js';
import { broadcastShapes, normaliseAxis, type Shape, sameShape, shapeError, showShape, sizeOf } from './graph/shape.js';
import { detachOp } from './ops/detach.js';
import { binaryOp, selectOp, unaryOp } from './ops/elementwise.js';
import { scalar } from './ops/leaf.js';
import { matmulOp } from './ops/matmul.js';
import { broadcastOp, padOp, permuteOp, reshapeOp, sliceOp } from './ops/movement.js';
import { reduceOp } from './ops/reduce.js';
import { softmaxOp } from './ops/softmax.js';
import type { BinaryOp, UnaryOp } from './program/kernels/index.js';
import type { DType } from './program/program.js';

class GraphTensor implements Tensor {
  constructor(
    readonly node: GraphNode,
    readonly output: number,
  ) {}

  get shape(): Shape {
    return this.node.types[this.output].shape;
  }

  get dtype(): DType {
    return this.node.types[this.output].dtype;
  }

  get rank(): number {
    return this.shape.length;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  detach(): Tensor {
    return apply(detachOp, [this], null);
  }

  add(other: Operand): Tensor {
    return binary('add', this, other);
  }
  sub(other: Operand): Tensor {
    return binary('sub', this, other);
  }
  mul(other: Operand): Tensor {
    return binary('mul', this, other);
  }
  div(other: Operand): Tensor {
    return binary('div', this, other);
  }
  pow(exponent: Operand): Tensor {
    return binary('pow', this, exponent);
  }
  maximum(other: Operand): Tensor {
    return binary('max', this, other);
  }
  minimum(other: Operand): Tensor {
    return binary('min', this, other);
  }

  less(other: Operand): Tensor {
    return binary('less', this, other);
  }
  lessEqual(other: Operand): Tensor {
    return binary('lessEqual', this, other);
  }
  greater(other: Operand): Tensor {
    return binary('less', operand(other), this);
  }
  greaterEqual(other: Operand): Tensor {
    return binary('lessEqual', operand(other), this);
  }
  equal(other: Operand): Tensor {
    return binary('equal', this, other);
  }
  notEqual(other: Operand): Tensor {
    return binary('notEqual', this, other);
  }

  neg(): Tensor {
    return unary('neg', this);
  }
  abs(): Tensor {
    return unary('abs', this);
  }
  exp(): Tensor {
    return unary('exp', this);
  }
  log(): Tensor {
    return unary('log', this);
  }
  sqrt(): Tensor {
    return unary('sqrt', this);
  }
  rsqrt(): Tensor {
    return unary('rsqrt', this);
  }
  sin(): Tensor {
    return unary('sin', this);
  }
  cos(): Tensor {
    return unary('cos', this);
  }
  tanh(): Tensor {
    return unary('tanh', this);
  }
  erf(): Tensor {
    return unary('erf', this);
  }
  sigmoid(): Tensor {
    return unary('sigmoid', this);
  }
  floor(): Tensor {
    return unary('floor', this);
  }
  reciprocal(): Tensor {
    return unary('reciprocal', this);
  }
  square(): Tensor {
    return this.mul(this);
  }
  silu(): Tensor {
    return this.mul(this.sigmoid());
  }
  gelu(): Tensor {
    return this.mul(this.mul(Math.SQRT1_2).erf().add(1).mul(0.5));
  }
  toFloat(): Tensor {
    return this.dtype === 'f32' ? this : unary('toFloat', this);
  }
  toInt(): Tensor {
    return this.dtype === 'i32' ? this : unary('toInt', this);
  }

  sum(axes?: number | readonly number[], keepAxes = false): Tensor {
    return reduce('sum', this, axes, keepAxes);
  }
  max(axes?: number | readonly number[], keepAxes = false): Tensor {
    return reduce('max', this, axes, keepAxes);
  }
  mean(axes?: number | readonly number[], keepAxes = false): Tensor {
    const total = reduce('sum', this, axes, keepAxes);
    return total.mul(total.size / this.size);
  }

  reshape(shape: Shape): Tensor {
    const unknown = shape.indexOf(-1);
    let target = shape;
    if (unknown >= 0) {
      const known = shape.reduce((product, length, axis) => (axis === unknown ? product : product * length), 1);
      target = shape.map((length, axis) => (axis === unknown ? this.size / known : length));
    }
    return sameShape(target, this.shape) ? this : apply(reshapeOp, [this], { shape: [...target] });
  }
  permute(axes: readonly number[]): Tensor {
    return axes.every((axis, i) => axis === i) && axes.length === this.rank
      ? this
      : apply(permuteOp, [this], { axes: [...axes] });
  }
  transpose(): Tensor {
    if (this.rank < 2) throw shapeError(`transpose: needs at least two axes, got ${showShape(this.shape)}`);
    const axes = this.shape.map((_, axis) => axis);
    [axes[this.rank - 2], axes[this.rank - 1]] = [this.rank - 1, this.rank - 2];
    return this.permute(axes);
  }
  broadcastTo(shape: Shape): Tensor {
    return sameShape(shape, this.shape) ? this : apply(broadcastOp, [this], { shape: [...shape] });
  }
  slice(axis: number, begin: number, end: number): Tensor {
    const along = normaliseAxis('slice', axis, this.rank);
    if (begin === 0 && end === this.shape[along]) return this;
    return apply(sliceOp, [this], {
      begin: this.shape.map((_, i) => (i === along ? begin : 0)),
      end: this.shape.map((length, i) => (i === along ? end : length)),
    });
  }
  pad(axis: number, before: number, after: number): Tensor {
    const along = normaliseAxis('pad', axis, this.rank);
    if (before === 0 && after === 0) return this;
    return apply(padOp, [this], {
      before: this.shape.map((_, i) => (i === along ? before : 0)),
      after: this.shape.map((_, i) => (i === along ? after : 0)),
    });
  }

  matmul(other: Tensor, options: { transposeA?: boolean; transposeB?: boolean } = {}): Tensor {
    return apply(matmulOp, [this, other], {
      transposeA: options.transposeA ?? false,
      transposeB: options.transposeB ?? false,
    });
  }
  softmax(): Tensor {
    return apply(softmaxOp, [this], { log: false });
  }
  logSoftmax(): Tensor {
    return apply(softmaxOp, [this], { log: true });
  }
}

setTensorClass(GraphTensor);

export function isTensor(value: unknown): value is Tensor {
  return value instanceof GraphTensor;
}

function operand(value: Operand): Tensor {
  return typeof value === 'number' ? scalar(value) : value;
}

function unary(fn: UnaryOp, a: Tensor): Tensor {
  return apply(unaryOp, [a], { fn });
}

function binary(fn: BinaryOp, first: Operand, second: Operand): Tensor {
  const a = operand(first);
  const b = operand(second);
  const shape = broadcastShapes(fn, a.shape, b.shape);
  return apply(binaryOp, [a.broadcastTo(shape), b.broadcastTo(shape)], { fn });
}

/** a where condition is not zero, else b. Shapes broadcast. */
export function select(condition: Tensor, a: Operand, b: Operand): Tensor {
  const [yes, no] = [operand(a), operand(b)];
  const shape = broadcastShapes('select', condition.shape, broadcastShapes('select', yes.shape, no.shape));
  return apply(selectOp, [condition.broadcastTo(shape), yes.broadcastTo(shape), no.broadcastTo(shape)], null);
}

function reduce(fn: 'sum' | 'max', x: Tensor, axes: number | readonly number[] | undefined, keepAxes: boolean): Tensor {
  const list = axes === undefined ? x.shape.map((_, axis) => axis) : typeof axes === 'number' ? [axes] : axes;
  const normalised = [...new Set(list.map((axis) => normaliseAxis(fn, axis, x.rank)))].sort((a, b) => a - b);
  const result = normalised.length === 0 ? x : apply(reduceOp, [x], { fn, axes: normalised });
  return keepAxes ? result.reshape(x.shape.map((length, axis) => (normalised.includes(axis) ? 1 : length))) : result;
}
