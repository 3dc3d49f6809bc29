/** @file Reverse-mode differentiation of the graph (no numbers are involved). */
import type { GraphNode, Tensor } from './graph/node.js';
import { shapeError, showShape } from './graph/shape.js';
import { detachOp } from './ops/detach.js';
import { scalar } from './ops/leaf.js';

/**
 * Gradients of a scalar `loss` with respect to each tensor of `wrt`, which may be any tensors of its graph. A tensor
 * that the loss does not depend on gets zeros.
 */
export function grad(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (loss.size !== 1) throw shapeError(`grad: the loss must have one element, got ${showShape(loss.shape)}`);
  const gradients = vectorJacobianProduct([loss], [scalar(1).broadcastTo(loss.shape)], wrt);
  return wrt.map((tensor, i) => gradients[i] ?? scalar(0).broadcastTo(tensor.shape));
}

/** Gradients with respect to `wrt` from those of `outputs`; undefined where the outputs do not depend on a tensor. */
export function vectorJacobianProduct(
  outputs: readonly Tensor[],
  outputGradients: readonly Tensor[],
  wrt: readonly Tensor[],
): (Tensor | undefined)[] {
  const needed = nodesBetween(outputs, wrt);
  const gradients = new Map<Tensor, Tensor>(outputs.map((output, i) => [output, outputGradients[i]]));
  const accumulate = (tensor: Tensor, gradient: Tensor) => {
    const previous = gradients.get(tensor);
    gradients.set(tensor, previous ? previous.add(gradient) : gradient);
  };
  for (const node of [...needed].sort((a, b) => b.id - a.id)) {
    const outputGradients = node.outputs.map((output) => gradients.get(output));
    if (!node.op.gradient || outputGradients.every((gradient) => gradient === undefined)) continue;
    const { inputs, outputs, attributes } = node;
    const inputGradients = node.op.gradient({ inputs, outputs, gradients: outputGradients, attributes });
    inputs.forEach((input, i) => {
      const gradient = inputGradients[i];
      if (gradient && (needed.has(input.node) || wrt.includes(input))) accumulate(input, gradient);
    });
  }
  return wrt.map((tensor) => gradients.get(tensor));
}

/** Nodes on a path from `wrt` to `outputs`: only they need gradients. */
function nodesBetween(outputs: readonly Tensor[], wrt: readonly Tensor[]): Set<GraphNode> {
  const wanted = new Set(wrt.map((tensor) => tensor.node));
  const depends = new Map<GraphNode, boolean>();
  const stack: GraphNode[] = outputs.map(({ node }) => node);
  while (stack.length > 0) {
    const node = stack[stack.length - 1];
    if (depends.has(node)) {
      stack.pop();
      continue;
    }
    const open = node.inputs.filter((input) => !depends.has(input.node));
    if (open.length > 0) {
      stack.push(...open.map((input) => input.node));
    } else {
      // Those wanted are searched too: one may depend on another. No gradient passes a detached tensor.
      const passes = node.op !== detachOp && node.inputs.some((input) => depends.get(input.node));
      depends.set(node, wanted.has(node) || passes);
      stack.pop();
    }
  }
  return new Set([...depends].filter(([, does]) => does).map(([node]) => node));
}
