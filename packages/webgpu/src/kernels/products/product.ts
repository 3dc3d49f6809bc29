/**
 * @file What matrix products and convolutions have in common: output[b] = epilogue(op(a) @ op(b)), op(a) being [m, k] and
 * op(b) [k, n]. They differ in where an operand's elements lie, which an `Operand` knows; how the products are computed
 * is the variants' affair.
 */
import type { Epilogue } from '@transfusion/tensor';
import type { BindingSet, LoweringContext } from '../../lowering.js';
import { expressionWgsl } from '../expression.js';
import { numericsWgsl } from '../numerics.js';
import { viewIndex } from '../views.js';

/** How a variant reads an operand's memory: one number at a time, or four along the axis that is contiguous. */
export type Access = 'scalar' | 'vec4';

/** An operand in WGSL. Its side is the rows of op(a) or the columns of op(b); its depth is k. */
export interface OperandReader {
  /** WGSL functions that reading calls. */
  functions: string;
  /** Statements that prepare reading at `position` of the side, under `name`. */
  side(name: string, batch: string, position: string): string;
  /** Statements that prepare reading at `position` of the depth, under `name`. */
  depth(name: string, position: string): string;
  /** The element at two prepared positions; the four from there along the contiguous axis if the access is vec4. */
  at(side: string, depth: string): string;
}

export interface Operand {
  /** Whether its elements lie in rows and columns or are gathered from images. */
  kind: 'matrix' | 'image';
  /** The axis along which neighbours are neighbours in memory. */
  contiguous: 'side' | 'depth';
  /** Whether every group of four along that axis, from multiples of 4 on, can be read at once. */
  quads: boolean;
  /** Program buffers that it binds. */
  buffer: number;
  bind(bindings: BindingSet, access: Access): OperandReader;
}

export interface Product {
  label: string;
  batch: number;
  m: number;
  n: number;
  k: number;
  a: Operand;
  b: Operand;
  output: number;
  epilogue?: Epilogue;
}

/**
 * The widest access to an operand. A buffer that the dispatch names twice is bound once and hence has one type: scalar.
 */
export function widestAccess(product: Product, side: 'a' | 'b'): Access {
  const operand = product[side];
  const others = [product[side === 'a' ? 'b' : 'a'].buffer, product.output];
  for (const view of product.epilogue?.views ?? []) others.push(view.buffer);
  return operand.quads && !others.includes(operand.buffer) ? 'vec4' : 'scalar';
}

/** Storage buffers that a dispatch of the whole product binds. */
export function bindingCount(product: Product): number {
  const views = product.epilogue?.views ?? [];
  return new Set([product.a.buffer, product.b.buffer, product.output, ...views.map((view) => view.buffer)]).size;
}

/** WGSL of `fn store(batch, row, column, value)`: applies the epilogue and writes the output. */
export function storeWgsl(product: Product, context: LoweringContext, bindings: BindingSet): string {
  const { batch, m, n, epilogue } = product;
  const output = bindings.buffer(product.output, 'output', context.dtype(product.output));
  const expression = epilogue?.expression ?? [{ op: 'load' as const, input: 0 }];
  const shape = [batch, m, n];
  const views = (epilogue?.views ?? []).map((view, position) => {
    const type = context.dtype(view.buffer);
    const array = bindings.buffer(view.buffer, `view${position}`, type);
    return { code: array.at(viewIndex(view, shape, ['batch', 'row', 'column'])), type };
  });
  const type = context.dtype(product.output);
  const body = expressionWgsl(expression, [{ code: 'value', type: 'f32' }, ...views], type);
  return `${numericsWgsl(body.functions)}
fn store(batch: u32, row: u32, column: u32, value: f32) {
${body.statements}
  ${output.set(`(batch * ${m}u + row) * ${n}u + column`, body.result)}
}`;
}
