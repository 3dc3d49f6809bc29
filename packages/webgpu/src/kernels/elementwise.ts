/** @file output[i] = expression(inputs[i]) over strided views: one invocation per element. */
import type { ElementwiseKernel } from '@transfusion/tensor';
import {
  BindingSet,
  type Dispatch,
  type LoweringContext,
  linearWorkgroup,
  mainHeader,
  splitGrid,
} from '../lowering.js';
import { expressionWgsl } from './expression.js';
import { numericsWgsl } from './numerics.js';
import { isContiguous, product, splitIndex, viewIndex } from './views.js';

export function lowerElementwise(kernel: ElementwiseKernel, context: LoweringContext): Dispatch[] {
  const { shape, inputs, output, expression } = kernel;
  const elements = product(shape);
  const workgroupSize = Math.min(256, context.device.maxInvocationsPerWorkgroup);
  const workgroups = Math.ceil(elements / workgroupSize);
  const grid = splitGrid(workgroups, context.device);
  const bindings = new BindingSet(context);

  const { statements, coordinates } = splitIndex('i', shape, 'c');
  const index = (view: ElementwiseKernel['output']) =>
    isContiguous(view, shape) ? (view.offset > 0 ? `${view.offset}u + i` : 'i') : viewIndex(view, shape, coordinates);
  const read = inputs.map((view, position) => {
    const type = context.dtype(view.buffer);
    return { code: bindings.buffer(view.buffer, `input${position}`, type).at(index(view)), type };
  });
  const resultType = context.dtype(output.buffer);
  const target = bindings.buffer(output.buffer, 'output', resultType);
  const body = expressionWgsl(expression, read, resultType);

  const code = `${bindings.declarations()}
${numericsWgsl(body.functions)}
${mainHeader(workgroupSize)} {
  let i = ${linearWorkgroup(grid)} * ${workgroupSize}u + lane;
  if (i >= ${elements}u) { return; }
${statements}
${body.statements}
  ${target.set(index(output), body.result)}
}`;
  return [{ label: `elementwise [${shape}]`, code, bindings: bindings.bindings, workgroups: grid }];
}
