/** @file Rewrites the traced graph: merges duplicates, folds constants, drops operations that do nothing. */
import type { GraphNode, ReferenceArray, Tensor } from '../graph/node.js';
import { apply, applyAll } from '../graph/node.js';
import { sameShape } from '../graph/shape.js';
import { detachOp } from '../ops/detach.js';
import { binaryOp, unaryOp } from '../ops/elementwise.js';
import { constantOp, inputOp, scalar, stateOp } from '../ops/leaf.js';
import { broadcastOp, permuteOp, reshapeOp } from '../ops/movement.js';
import { topologicalOrder } from '../reference/evaluate.js';

/** The tensors that replace `outputs`, computing the same values with fewer nodes. */
export function simplify(outputs: readonly Tensor[]): Tensor[] {
  const replacement = new Map<Tensor, Tensor>();
  const known = new Map<string, readonly Tensor[]>();
  for (const node of topologicalOrder(outputs)) {
    const inputs = node.inputs.map((input) => replacement.get(input)!);
    const simpler = rewrite(node, inputs);
    const results = simpler ? [simpler] : deduplicated(node, inputs, known);
    node.outputs.forEach((output, i) => replacement.set(output, results[i]));
  }
  return outputs.map((output) => replacement.get(output)!);
}

/** The node on its new inputs, or an equal one met before. */
function deduplicated(node: GraphNode, inputs: Tensor[], known: Map<string, readonly Tensor[]>): readonly Tensor[] {
  const isLeaf = node.op === inputOp || node.op === stateOp;
  if (isLeaf || (node.op === constantOp && typeof node.attributes.data !== 'number')) return node.outputs;
  const operands = inputs.map((input) => `${input.node.id}.${input.output}`).join();
  const key = `${node.op.name} ${operands} ${JSON.stringify(node.attributes, exactNumber)}`;
  let results = known.get(key);
  if (!results) {
    results = inputs.every((input, i) => input === node.inputs[i])
      ? node.outputs
      : applyAll(node.op, inputs, node.attributes);
    known.set(key, results);
  }
  return results;
}

/** JSON writes infinities and NaN as null, and -0 as 0. */
function exactNumber(_key: string, value: unknown): unknown {
  const isLost = typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0));
  return isLost ? { number: Object.is(value, -0) ? '-0' : String(value) } : value;
}

function rewrite(node: GraphNode, inputs: Tensor[]): Tensor | undefined {
  const { shape } = node.types[0];
  const [a, b] = inputs;
  // The gradients were taken: what counted as a constant is what it was made of.
  if (node.op === detachOp) return a;
  if (node.op === unaryOp || node.op === binaryOp) {
    if (node.types[0].dtype !== 'f32' || a.dtype !== 'f32') return undefined;
    const constants = inputs.map(constantValue);
    if (constants.every((value) => value !== undefined)) return folded(node, constants).broadcastTo(shape);
    return node.op === binaryOp ? withoutNeutral(node.attributes.fn, a, b, constants) : undefined;
  }
  if (node.op === reshapeOp) {
    if (sameShape(a.shape, shape)) return a;
    const value = constantValue(a);
    if (value !== undefined && a.dtype === 'f32') return scalar(value).broadcastTo(shape);
    if (a.node.op === reshapeOp) return a.node.inputs[0].reshape(shape);
  }
  if (node.op === broadcastOp) {
    if (sameShape(a.shape, shape)) return a;
    if (a.node.op === broadcastOp && a.rank === a.node.inputs[0].rank) return a.node.inputs[0].broadcastTo(shape);
  }
  if (node.op === permuteOp && a.node.op === permuteOp) {
    const inner: readonly number[] = a.node.attributes.axes;
    return a.node.inputs[0].permute(node.attributes.axes.map((axis: number) => inner[axis]));
  }
  return undefined;
}

/** x where an operand of x + 0, x - 0, x * 1, x / 1 does nothing. */
function withoutNeutral(fn: string, a: Tensor, b: Tensor, [left, right]: (number | undefined)[]): Tensor | undefined {
  if ((fn === 'add' && right === 0) || (fn === 'sub' && right === 0)) return a;
  if ((fn === 'mul' && right === 1) || (fn === 'div' && right === 1)) return a;
  if ((fn === 'add' && left === 0) || (fn === 'mul' && left === 1)) return b;
  return undefined;
}

/** The number that every element of a tensor is known to be. */
export function constantValue(tensor: Tensor): number | undefined {
  const { op, attributes, inputs } = tensor.node;
  if (op === constantOp) return typeof attributes.data === 'number' ? attributes.data : undefined;
  if (op === broadcastOp || op === reshapeOp) return constantValue(inputs[0]);
  return undefined;
}

function folded(node: GraphNode, constants: (number | undefined)[]): Tensor {
  const types = constants.map(() => ({ shape: [], dtype: 'f32' as const }));
  const [result]: ReferenceArray[] = node.op.reference!({
    inputs: constants.map((value) => Float64Array.of(value!)),
    inputTypes: types,
    outputTypes: [{ shape: [], dtype: 'f32' }],
    attributes: node.attributes,
  });
  return apply(constantOp, [], { type: { shape: [], dtype: 'f32' as const }, data: result[0] });
}
