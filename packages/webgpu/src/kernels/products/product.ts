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
  /** The program buffer that it binds. */
  buffer: number;
  /** Of a matrix: elements from one position of the side, of the depth, and of the batch to the next. */
  strides?: { side: number; depth: number; batch: number };
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

/** Whether four results in a row can be stored at once, and what the epilogue reads for them too. */
export function storesQuadsOf(product: Product, context: LoweringContext): boolean {
  const { m, n, a, b, output, epilogue } = product;
  const views = epilogue?.views ?? [];
  // A buffer that is bound twice has one type.
  const others = [a.buffer, b.buffer];
  const isOwn = (buffer: number) => !others.includes(buffer) && context.dtype(buffer) === 'f32';
  const own = [output, ...views.map(({ buffer }) => buffer)];
  if (n % 4 > 0 || !own.every(isOwn) || new Set(own).size < own.length) return false;
  // Four neighbours, at a multiple of 4; or one number for the whole row.
  return views.every(({ offset, strides: [matrix, row, column] }) => {
    if (column === 0) return true;
    const steps = [offset, product.batch > 1 ? matrix : 0, m > 1 ? row : 0];
    return column === 1 && steps.every((step) => step % 4 === 0);
  });
}

/**
 * WGSL of `fn store(batch, row, column, value)`: applies the epilogue and writes the output; with type vec4f, `store_quad`, of four
 * columns from a multiple of 4 on.
 */
export function storeWgsl(
  product: Product,
  context: LoweringContext,
  bindings: BindingSet,
  type: 'f32' | 'vec4f' = 'f32',
): string {
  const { batch, m, n, epilogue } = product;
  const expression = epilogue?.expression ?? [{ op: 'load' as const, input: 0 }];
  const isQuad = type === 'vec4f';
  const views = (epilogue?.views ?? []).map((view, i) => {
    const own = context.dtype(view.buffer);
    const isNeighbours = isQuad && view.strides[2] === 1;
    const array = bindings.buffer(view.buffer, `view${i}`, isNeighbours ? type : own);
    const index = viewIndex(view, [batch, m, n], ['batch', 'row', 'column']);
    return { type: own, isNeighbours, code: array.at(isNeighbours ? `(${index}) / 4u` : index) };
  });
  const outputType = context.dtype(product.output);
  const output = bindings.buffer(product.output, 'output', isQuad ? type : outputType);
  const body = expressionWgsl(
    expression,
    [{ code: 'value', type: 'f32' }, ...views.map((view, i) => ({ code: `loaded${i}`, type: view.type }))],
    outputType,
  );
  const parameters = ['value: f32', ...views.map((view, i) => `loaded${i}: ${view.type}`)];
  const resultOf = (value: string, part = '') =>
    `result_of(${[value + part, ...views.map(({ isNeighbours }, i) => `view_value${i}${isNeighbours ? part : ''}`)]})`;
  const place = `(batch * ${m}u + row) * ${n}u + column`;
  return `${numericsWgsl(body.functions)}
fn result_of(${parameters}) -> ${outputType} {
${body.statements}
  return ${body.result};
}
fn ${isQuad ? 'store_quad' : 'store'}(batch: u32, row: u32, column: u32, value: ${type}) {
  ${views.map(({ code }, i) => `let view_value${i} = ${code};`).join(' ')}
  ${isQuad ? output.set(`(${place}) / 4u`, `vec4f(${[0, 1, 2, 3].map((j) => resultOf('value', `[${j}]`))})`) : output.set(place, resultOf('value'))}
}`;
}
