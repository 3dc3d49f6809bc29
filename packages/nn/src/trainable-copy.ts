/**
 * @file Gradients that stop. There is no operation for it: a function is traced twice, from the parameters and from
 * copies of them, and differentiated with respect to the copies. What was computed from the parameters themselves is
 * then a constant (`detach` in PyTorch). Nothing is computed twice: the compiler merges what is equal.
 */
import { isTensor, mapTree, type Tensor } from '@transfusion/tensor';

/**
 * Tensors with the same values as the leaves of `tree` (f32), which `grad` takes for others.
 *
 * @example
 * const live = trainableCopy(p);
 * const target = network(p, x); // constant
 * const [gradient] = grad(network(live, x).sub(target.mul(2)).square().mean(), [live.weight]);
 */
export function trainableCopy<T>(tree: T): T {
  return mapTree(tree, isTensor, (tensor: Tensor) => tensor.add(0)) as T;
}
