/**
 * @file Activation checkpointing (Chen et al. 2016): what a function computes on the way is not kept for the backward pass but
 * computed again there, once the gradient of its result is known. Memory for time: about a third more of it.
 */
import { vectorJacobianProduct } from '../grad.js';
import { apply, applyAll, type GraphNode, nextNodeId, type OpDefinition, type Tensor } from '../graph/node.js';
import { evaluate, topologicalOrder } from '../reference/evaluate.js';
import { detachOp } from './detach.js';
import { constantOp, stateOp } from './leaf.js';

/** A traced function: its result, and the tensors from outside that it depends on, which are the node's inputs. */
interface Region {
  output: Tensor;
  external: readonly Tensor[];
}

/** Replaced by the region itself before anything is compiled (`inlineCheckpoints`). */
const checkpointOp: OpDefinition<Region> = {
  name: 'checkpoint',
  infer: (_, { output }) => [{ shape: output.shape, dtype: output.dtype }],
  reference: ({ inputs, attributes: { output, external } }) =>
    evaluate([output], new Map(external.map((tensor, i) => [tensor, inputs[i]]))),
  gradient({ inputs, gradients: [g], attributes }) {
    if (!g) return [];
    // States and constants are there anyway; what is made of the others waits until the gradient is there.
    const held = inputs.map((input) => (isResident(input) ? input : apply(barrierOp, [input, g], null)));
    return vectorJacobianProduct([copyRegion(attributes, held)], [g], held);
  },
};

function isResident({ node }: Tensor): boolean {
  if (node.op === detachOp) return isResident(node.inputs[0]);
  return node.op === stateOp || node.op === constantOp;
}

/**
 * The first input, but not before the others are computed. No kernel: an order of kernels. It has no gradient: the region
 * ends here, and one of its inputs may depend on another.
 */
export const barrierOp: OpDefinition<null> = {
  name: 'barrier',
  infer: ([x]) => [x],
  reference: ({ inputs: [x] }) => [x],
};

/** The region's result on other tensors than those it was traced on. */
function copyRegion({ output, external }: Region, inputs: readonly Tensor[]): Tensor {
  const copies = new Map<Tensor, Tensor>(external.map((tensor, i) => [tensor, inputs[i]]));
  for (const node of nodesInside(output, external)) {
    const results = applyAll(
      node.op,
      node.inputs.map((input) => copies.get(input)!),
      node.attributes,
    );
    node.outputs.forEach((tensor, i) => copies.set(tensor, results[i]));
  }
  return copies.get(output)!;
}

/** The nodes between `external` and `output`, operands first. */
function nodesInside(output: Tensor, external: readonly Tensor[]): GraphNode[] {
  const outside = new Set(external.map(({ node }) => node));
  const inside = new Set<GraphNode>();
  const stack = [output.node];
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (outside.has(node) || inside.has(node)) continue;
    inside.add(node);
    for (const input of node.inputs) stack.push(input.node);
  }
  return [...inside].sort((a, b) => a.id - b.id);
}

/**
 * `fn()`, whose intermediate results are computed again for its gradient instead of being kept. It may use any tensors
 * from outside; all of them get gradients. Random numbers repeat: they depend on seeds only.
 *
 * @param fn called once, at once
 */
export function checkpoint(fn: () => Tensor): Tensor {
  const first = nextNodeId();
  const output = fn();
  if (output.node.id < first) return output;
  const external = new Set<Tensor>();
  const seen = new Set<GraphNode>();
  const stack = [output.node];
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const input of node.inputs) {
      if (input.node.id < first) external.add(input);
      else stack.push(input.node);
    }
  }
  return apply(checkpointOp, [...external], { output, external: [...external] });
}

/** The graph with every checkpointed region in the place of its node. */
export function inlineCheckpoints(outputs: readonly Tensor[]): Tensor[] {
  const order = topologicalOrder(outputs);
  if (!order.some(({ op }) => op === checkpointOp)) return [...outputs];
  const replacement = new Map<Tensor, Tensor>();
  for (const node of order) {
    const inputs = node.inputs.map((input) => replacement.get(input)!);
    const isSame = inputs.every((input, i) => input === node.inputs[i]);
    let results: readonly Tensor[] = node.outputs;
    if (node.op === checkpointOp) results = [copyRegion(node.attributes, inputs)];
    else if (!isSame) results = applyAll(node.op, inputs, node.attributes);
    node.outputs.forEach((output, i) => replacement.set(output, results[i]));
  }
  // A region may hold others.
  return inlineCheckpoints(outputs.map((output) => replacement.get(output)!));
}
