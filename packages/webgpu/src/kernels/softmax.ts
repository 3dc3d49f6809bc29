/**
 * @file Softmax, or its logarithm, over the last axis of input [rows, columns], and its gradient from the output y:
 * softmax: dx = y (dy - sum(dy y)); log: dx = dy - exp(y) sum(dy).
 */
import type { SoftmaxGradKernel, SoftmaxKernel } from '@transfusion/tensor';
import { BindingSet, type Dispatch, type LoweringContext } from '../lowering.js';
import { rowDispatch, rowLogSumExp } from './rows.js';

export function lowerSoftmax(kernel: SoftmaxKernel, context: LoweringContext): Dispatch[] {
  const { rows, columns, log } = kernel;
  const bindings = new BindingSet(context);
  const input = bindings.buffer(kernel.input, 'input');
  const output = bindings.buffer(kernel.output, 'output');
  const body = `
  let base = row * ${columns}u;
  ${rowLogSumExp({ columns, load: input.at('base + column') })}
  if (!inside) { return; }
  ${log ? 'let log_total = precise_log(total);' : 'let scale = 1.0 / total;'}
  for (var column = lane; column < ${columns}u; column += LANES) {
    let x = ${input.at('base + column')} - maximum;
    ${output.set('base + column', `${log ? 'x - log_total' : 'precise_exp(x) * scale'}`)}
  }`;
  const label = log ? 'logSoftmax' : 'softmax';
  return [rowDispatch({ label, rows, columns, bindings, body, device: context.device })];
}

export function lowerSoftmaxGrad(kernel: SoftmaxGradKernel, context: LoweringContext): Dispatch[] {
  const { rows, columns, log } = kernel;
  const bindings = new BindingSet(context);
  const y = bindings.buffer(kernel.y, 'y');
  const dy = bindings.buffer(kernel.dy, 'dy');
  const dx = bindings.buffer(kernel.dx, 'dx');
  const body = `
  let base = row * ${columns}u;
  var lane_total = 0.0;
  for (var column = lane; column < ${columns}u; column += LANES) {
    lane_total += ${dy.at('base + column')}${log ? '' : ` * ${y.at('base + column')}`};
  }
  let total = row_sum(thread, lane_total);
  if (!inside) { return; }
  for (var column = lane; column < ${columns}u; column += LANES) {
    let value = ${y.at('base + column')};
    let gradient = ${dy.at('base + column')};
    ${dx.set('base + column', `${log ? 'gradient - precise_exp(value) * total' : 'value * (gradient - total)'}`)}
  }`;
  const label = log ? 'logSoftmaxGrad' : 'softmaxGrad';
  return [rowDispatch({ label, rows, columns, bindings, body, device: context.device })];
}
