/** @file The oracle: evaluates a graph node by node in f64, by each operation's plain definition. */
import { TransfusionError } from '../errors.js';
import type { GraphNode, ReferenceArray, Tensor } from '../graph/node.js';
import { showShape } from '../graph/shape.js';

/**
 * Values of `outputs` in f64 (i32 tensors as whole numbers), given the values of the inputs and states they depend on.
 */
export function evaluate(
  outputs: readonly Tensor[],
  bindings: ReadonlyMap<Tensor, ArrayLike<number>>,
): ReferenceArray[] {
  const values = new Map<Tensor, ReferenceArray>();
  for (const [tensor, data] of bindings) values.set(tensor, Float64Array.from(data));
  for (const node of topologicalOrder(outputs)) {
    if (node.outputs.every((output) => values.has(output))) continue;
    if (!node.op.reference) {
      throw new TransfusionError({
        code: 'TENSOR_UNBOUND',
        message: `evaluate: no value for ${node.op.name} ${node.attributes?.name ?? ''} ${showShape(node.types[0].shape)}`,
        fix: 'add it to the bindings',
      });
    }
    const results = node.op.reference({
      inputs: node.inputs.map((input) => values.get(input)!),
      inputTypes: node.inputs.map((input) => ({ shape: input.shape, dtype: input.dtype })),
      outputTypes: node.types,
      attributes: node.attributes,
    });
    results.forEach((result, i) => values.set(node.outputs[i], result));
  }
  return outputs.map((output) => values.get(output)!);
}

/** Every node that `outputs` depend on, operands first. */
export function topologicalOrder(outputs: readonly Tensor[]): GraphNode[] {
  const seen = new Set<GraphNode>();
  const stack = outputs.map((output) => output.node);
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const input of node.inputs) stack.push(input.node);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}
