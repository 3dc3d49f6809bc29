/**
 * @file Root-mean-square normalisation of each row of x [rows, columns] (Zhang & Sennrich 2019,
 * https://arxiv.org/abs/1910.07467, equation 4): rstd = 1 / sqrt(mean(x^2) + epsilon) [rows],
 * output = x rstd weight; and its gradient for x: dx = rstd (dy w - x rstd^2 mean(dy w x)). weight [columns].
 */
import type { RmsNormGradKernel, RmsNormKernel } from '@transfusion/tensor';
import { BindingSet, type Dispatch, f32Literal, type LoweringContext } from '../lowering.js';
import { rowDispatch } from './rows.js';

export function lowerRmsNorm(kernel: RmsNormKernel, context: LoweringContext): Dispatch[] {
  const { rows, columns, epsilon } = kernel;
  const bindings = new BindingSet(context);
  const x = bindings.buffer(kernel.x, 'x');
  const weight = bindings.buffer(kernel.weight, 'weight');
  const output = bindings.buffer(kernel.output, 'output');
  const rstd = bindings.buffer(kernel.rstd, 'rstd');
  const body = `
  let base = row * ${columns}u;
  var lane_total = 0.0;
  for (var column = lane; column < ${columns}u; column += LANES) {
    let value = ${x.at('base + column')};
    lane_total += value * value;
  }
  let mean = row_sum(thread, lane_total) / ${f32Literal(columns)};
  // sqrt is more accurate than inverseSqrt on most devices, and this is once per row.
  let scale = 1.0 / sqrt(mean + ${f32Literal(epsilon)});
  if (!inside) { return; }
  if (lane == 0u) { ${rstd.set('row', 'scale')} }
  for (var column = lane; column < ${columns}u; column += LANES) {
    ${output.set('base + column', `${x.at('base + column')} * scale * ${weight.at('column')}`)}
  }`;
  return [rowDispatch({ label: 'rmsNorm', rows, columns, bindings, body, device: context.device })];
}

export function lowerRmsNormGrad(kernel: RmsNormGradKernel, context: LoweringContext): Dispatch[] {
  const { rows, columns } = kernel;
  const bindings = new BindingSet(context);
  const x = bindings.buffer(kernel.x, 'x');
  const weight = bindings.buffer(kernel.weight, 'weight');
  const rstd = bindings.buffer(kernel.rstd, 'rstd');
  const dy = bindings.buffer(kernel.dy, 'dy');
  const dx = bindings.buffer(kernel.dx, 'dx');
  const body = `
  let base = row * ${columns}u;
  var lane_total = 0.0;
  for (var column = lane; column < ${columns}u; column += LANES) {
    lane_total += ${dy.at('base + column')} * ${weight.at('column')} * ${x.at('base + column')};
  }
  let scale = ${rstd.at('row')};
  let correction = scale * scale * (row_sum(thread, lane_total) / ${f32Literal(columns)});
  if (!inside) { return; }
  for (var column = lane; column < ${columns}u; column += LANES) {
    ${dx.set('base + column', `scale * (${dy.at('base + column')} * ${weight.at('column')} - ${x.at('base + column')} * correction)`)}
  }`;
  return [rowDispatch({ label: 'rmsNormGrad', rows, columns, bindings, body, device: context.device })];
}
