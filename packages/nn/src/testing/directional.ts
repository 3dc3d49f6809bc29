/** @file The gradient of a function of a tree of tensors, against central differences in f64. */
import {
  constant,
  evaluate,
  flattenTree,
  grad,
  isTensor,
  mapTree,
  PhiloxStream,
  sizeOf,
  type Tensor,
} from '@transfusion/tensor';

/** A power of two, so that it is exact in f32 too. */
const STEP = 2 ** -13;

/** Normal numbers; the same for the same seed. */
export function normals(shape: readonly number[], seed: number, scale = 1): Tensor {
  const stream = new PhiloxStream(seed);
  return constant(
    Float32Array.from({ length: sizeOf(shape) }, () => scale * stream.normal()),
    shape,
  );
}

/**
 * For every tensor of the tree: the derivative of `loss` along a random direction by the gradient, and by differences. The
 * errors, as a part of the greatest derivative.
 */
export function directionalErrors<Tree>(tree: Tree, loss: (tree: Tree) => Tensor): Map<string, number> {
  const leaves = [...flattenTree<Tensor>(tree, isTensor)];
  const directions = leaves.map(([, { shape }], i) => normals(shape, 1000 + i));
  const moved = (which: number, step: number) =>
    loss(
      mapTree(tree, isTensor, (x, path) =>
        path === leaves[which][0] ? (x as Tensor).add(directions[which].mul(step)) : x,
      ) as Tree,
    );
  const gradients = grad(
    loss(tree),
    leaves.map(([, leaf]) => leaf),
  );
  const found = evaluate(
    leaves.flatMap((_, i) => [gradients[i].mul(directions[i]).sum(), moved(i, STEP), moved(i, -STEP)]),
    new Map(),
  ).map(([value]) => value);
  const pairs = leaves.map((_, i) => [found[3 * i], (found[3 * i + 1] - found[3 * i + 2]) / (2 * STEP)]);
  const greatest = Math.max(...pairs.map(([, difference]) => Math.abs(difference)));
  return new Map(leaves.map(([path], i) => [path, Math.abs(pairs[i][0] - pairs[i][1]) / greatest]));
}
