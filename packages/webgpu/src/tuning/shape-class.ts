/** @file What kernels must have in common to be computed the same way: one of a class is measured for all. */
import type { AttentionPart } from '../kernels/attention/plan.js';
import { type Product, widestAccess } from '../kernels/products/product.js';
import type { LoweringContext } from '../lowering.js';

/** Sizes up to this are classes of their own; larger ones are rounded to powers of two. */
const EXACT_SIZES = 8;

function rounded(size: number): number {
  return size <= EXACT_SIZES ? size : 2 ** Math.round(Math.log2(size));
}

/** e.g. `1x1024x256x512 a: depth vec4 f32 matrix, b: side vec4 f16 matrix, to f32 with epilogue`. */
export function shapeClass(product: Product, context: LoweringContext): string {
  const { batch, m, n, k, output, epilogue } = product;
  const stored = (buffer: number) => (context.isHalf(buffer) ? 'f16' : context.dtype(buffer));
  const operand = (side: 'a' | 'b') => {
    const { kind, contiguous, buffer } = product[side];
    return `${side}: ${contiguous} ${widestAccess(product, side)} ${stored(buffer)} ${kind}`;
  };
  const size = [batch, m, n, k].map(rounded).join('x');
  return `${size} ${operand('a')}, ${operand('b')}, to ${stored(output)}${epilogue ? ' with epilogue' : ''}`;
}

/** e.g. `attention dq 4x256x256 of 6/6 heads of 32 in f32`: queries x keys. */
export function attentionClass({ part, kernel }: AttentionPart, context: LoweringContext): string {
  const { batch, queries, keys, heads, kvHeads, headDim, q, k } = kernel;
  const stored = [q, k].map((buffer) => (context.isHalf(buffer) ? 'f16' : 'f32'));
  const shared = 'sharedKeys' in kernel && kernel.sharedKeys ? ' shared' : '';
  const size = [batch, queries, keys].map(rounded).join('x');
  return `attention ${part} ${size} of ${heads}/${kvHeads}${shared} heads of ${headDim} in ${stored.join(' and ')}`;
}
