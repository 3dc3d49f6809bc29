/** @file What all variants of the matrix product share: operand access, the epilogue and the store. */
import type { MatmulKernel, MatrixOperand } from '@transfusion/tensor';
import type { BindingSet, LoweringContext } from '../../lowering.js';
import { expressionWgsl } from '../expression.js';
import { numericsWgsl } from '../numerics.js';
import { viewIndex } from '../views.js';

/** How a variant reads an operand's memory: one number at a time, or four along the axis that is contiguous. */
export type Access = 'scalar' | 'vec4';

/** Whether the operand's numbers are contiguous along k, the axis that is summed over. */
export function contiguousAlongK(kernel: MatmulKernel, side: 'a' | 'b'): boolean {
  return side === 'a' ? !kernel.a.transpose : kernel.b.transpose;
}

/** Length of the operand's contiguous axis. */
function contiguousLength(kernel: MatmulKernel, side: 'a' | 'b'): number {
  if (contiguousAlongK(kernel, side)) return kernel.k;
  return side === 'a' ? kernel.m : kernel.n;
}

/**
 * Whether every group of four along the contiguous axis starts on a multiple of four elements. A buffer that the kernel
 * names twice is bound once and hence has one type: scalar.
 */
export function widestAccess(kernel: MatmulKernel, side: 'a' | 'b'): Access {
  const operand = kernel[side];
  const others = [kernel[side === 'a' ? 'b' : 'a'].buffer, kernel.output];
  for (const view of kernel.epilogue?.views ?? []) others.push(view.buffer);
  const aligned = contiguousLength(kernel, side) % 4 === 0 && operand.batchStride % 4 === 0;
  return aligned && !others.includes(operand.buffer) ? 'vec4' : 'scalar';
}

/** Storage buffers that a dispatch of the whole kernel binds. */
export function bindingCount(kernel: MatmulKernel): number {
  const views = kernel.epilogue?.views ?? [];
  return new Set([kernel.a.buffer, kernel.b.buffer, kernel.output, ...views.map((view) => view.buffer)]).size;
}

export interface Operand {
  /** WGSL of the element at (row, column) of op(a) [m, k] or op(b) [k, n]; of the four from there if the access is vec4. */
  at(batch: string, row: string, column: string): string;
  access: Access;
}

/** Binds an operand and says how to read it. */
export function bindOperand(options: {
  kernel: MatmulKernel;
  side: 'a' | 'b';
  access: Access;
  bindings: BindingSet;
}): Operand {
  const { kernel, side, access, bindings } = options;
  const operand: MatrixOperand = kernel[side];
  const [rows, columns] = side === 'a' ? [kernel.m, kernel.k] : [kernel.k, kernel.n];
  const name = bindings.buffer(operand.buffer, side, access === 'vec4' ? 'vec4f' : 'f32');
  const width = access === 'vec4' ? 4 : 1;
  const at = (batch: string, row: string, column: string) => {
    const [major, minor] = operand.transpose ? [column, row] : [row, column];
    const minorLength = operand.transpose ? rows : columns;
    const terms = [`(${major}) * ${minorLength / width}u`, width === 1 ? `(${minor})` : `(${minor}) / ${width}u`];
    if (operand.batchStride > 0 && kernel.batch > 1) terms.unshift(`${batch} * ${operand.batchStride / width}u`);
    return `${name}[${terms.join(' + ')}]`;
  };
  return { at, access };
}

/** WGSL of `fn store(batch, row, column, value)`: applies the epilogue and writes the output. */
export function storeWgsl(kernel: MatmulKernel, context: LoweringContext, bindings: BindingSet): string {
  const { batch, m, n, epilogue } = kernel;
  const type = context.dtype(kernel.output);
  const output = bindings.buffer(kernel.output, 'output', type);
  const expression = epilogue?.expression ?? [{ op: 'load' as const, input: 0 }];
  const shape = [batch, m, n];
  const views = (epilogue?.views ?? []).map((view, position) => {
    const viewType = context.dtype(view.buffer);
    const name = bindings.buffer(view.buffer, `view${position}`, viewType);
    return { code: `${name}[${viewIndex(view, shape, ['batch', 'row', 'column'])}]`, type: viewType };
  });
  const body = expressionWgsl(expression, [{ code: 'value', type: 'f32' }, ...views], type);
  return `${numericsWgsl(body.functions)}
fn store(batch: u32, row: u32, column: u32, value: f32) {
${body.statements}
  ${output}[(batch * ${m}u + row) * ${n}u + column] = ${body.result};
}`;
}
