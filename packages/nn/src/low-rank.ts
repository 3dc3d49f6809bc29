/**
 * @file Low-rank adapters of linear layers (LoRA: Hu et al. 2021, arXiv 2106.09685): y = x W^T + scale (x A^T) B^T, where W
 * [outputs, inputs] stays as it is, and A and B have few numbers.
 */
import { isTensor, type LeafTest, mapTree, type Tensor } from '@transfusion/tensor';

/** What is trained in the place of a matrix [outputs, inputs]. */
export interface LowRankParameters<T = Tensor> {
  /** [rank, inputs] */
  a: T;
  /** [outputs, rank] */
  b: T;
}

/** A matrix with adapters; their products with the input add up. */
export interface AdaptedWeight<T = Tensor> {
  /** [outputs, inputs] */
  base: T;
  adapters: readonly (LowRankParameters<T> & { scale: number })[];
}

/** The matrix of a linear layer; in a graph it may have adapters. */
export type LinearWeight<T = Tensor> = T extends Tensor ? T | AdaptedWeight<T> : T;

/** An adapter of some of a model's linear layers, by the layer's path: see `linearLayers`. */
export interface Adapter<T = Tensor> {
  layers: Readonly<Record<string, LowRankParameters<T>>>;
  /** What the product B A is multiplied with: alpha / rank, times what the user wants of it. */
  scale: number;
}

/** `project` of a matrix, with adapters or without. */
export function adaptedProjection(weight: LinearWeight, x: Tensor): Tensor {
  if (isTensor(weight)) return x.matmul(weight, { transposeB: true });
  const base = x.matmul(weight.base, { transposeB: true });
  return weight.adapters.reduce((sum, { a, b, scale }) => {
    const narrow = x.matmul(a, { transposeB: true }).mul(scale); // [..., rank]
    return sum.add(narrow.matmul(b, { transposeB: true }));
  }, base);
}

/** The path of the layer that a parameter is the matrix of: `patchIn` of `patchIn.weight`, and itself where it has no bias. */
export function layerOf(path: string): string {
  return path.replace(/\.weight$/, '');
}

/**
 * A tree of parameters (tensors in a graph, or variables) in which the layers that adapters name have an `AdaptedWeight`. What
 * was adapted already gets more adapters.
 *
 * @param leaf `isTensor` or `isVariable`
 */
export function withAdapters<Tree, T>(tree: Tree, leaf: LeafTest<T>, adapters: readonly Adapter<T>[]): Tree {
  if (adapters.length === 0) return tree;
  return mapTree(tree, leaf, (base, path) => {
    const own = adapters.flatMap(({ layers, scale }) => {
      const layer = Object.hasOwn(layers, layerOf(path)) ? layers[layerOf(path)] : undefined;
      return layer ? [{ ...layer, scale }] : [];
    });
    return own.length > 0 ? { base, adapters: own } : base;
  }) as Tree;
}

/**
 * W + scale B A, summed in f64 and rounded once; with a negative scale the adapter is taken out again.
 *
 * @param weight [outputs, inputs], on the host
 * @param a [rank, inputs]
 * @param b [outputs, rank]
 */
export function mergedWeight(
  weight: Float32Array,
  { a, b }: LowRankParameters<Float32Array>,
  { rank, scale }: { rank: number; scale: number },
): Float32Array {
  const inputs = a.length / rank;
  const outputs = b.length / rank;
  const merged = new Float32Array(weight.length);
  const row = new Float64Array(inputs);
  for (let o = 0; o < outputs; o++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = b[o * rank + r];
      for (let i = 0; i < inputs; i++) row[i] += factor * a[r * inputs + i];
    }
    for (let i = 0; i < inputs; i++) merged[o * inputs + i] = weight[o * inputs + i] + scale * row[i];
  }
  return merged;
}
