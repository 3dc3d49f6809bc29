/** @file The gradients of a loss by a tree of parameters. */
import { flattenTree, grad, isTensor, mapTree, type Tensor } from '@transfusion/tensor';

/** `grad` by every leaf of `parameters`, as a tree of the same form. `loss` has one element. */
export function gradientTree<Parameters>(loss: Tensor, parameters: Parameters): Parameters {
  const leaves = flattenTree<Tensor>(parameters, isTensor);
  const gradients = grad(loss, [...leaves.values()]);
  const byPath = new Map([...leaves.keys()].map((path, i) => [path, gradients[i]]));
  return mapTree(parameters, isTensor, (_, path) => byPath.get(path)!) as Parameters;
}
