/** @file What products must have in common to be computed the same way: one of a class is measured for all. */

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
