/**
 * @file Group norm (Wu & He 2018, https://arxiv.org/abs/1803.08494) of x [batch, positions, channels] with weight and bias
 * [channels]; mean, rstd [batch, groups] over a group's elements; and its gradient for x. One position and one group is a
 * layer norm. A group's elements are a row of `rowDispatch`, though they lie apart in memory.
 */
import type { GroupNormGradKernel, GroupNormKernel, GroupNormShape } from '@transfusion/tensor';
import { BindingSet, type Dispatch, f32Literal, type LoweringContext } from '../lowering.js';
import { rowDispatch } from './rows.js';

/** WGSL of the group's first element and channel, and of where its element `column` is. */
function groupWgsl({ positions, channels, groups }: GroupNormShape): string {
  const width = channels / groups;
  return `
  let first_channel = row % ${groups}u * ${width}u;
  let base = row / ${groups}u * ${positions * channels}u + first_channel;`;
}

function elementWgsl({ positions, channels, groups }: GroupNormShape): string {
  const width = channels / groups;
  if (groups === 1) return `let offset = column${positions > 1 ? ` % ${channels}u` : ''}; let at = base + column;`;
  return `let offset = column % ${width}u; let at = base + column / ${width}u * ${channels}u + offset;`;
}

/**
 * Mean and mean square deviation in two passes and a correction by what the deviations sum up to: whatever the mean is,
 * nothing cancels.
 */
export function lowerGroupNorm(kernel: GroupNormKernel, context: LoweringContext): Dispatch[] {
  const { batch, positions, channels, groups, epsilon } = kernel;
  const columns = (positions * channels) / groups;
  const bindings = new BindingSet(context);
  const x = bindings.buffer(kernel.x, 'x');
  const weight = bindings.buffer(kernel.weight, 'weight');
  const bias = bindings.buffer(kernel.bias, 'bias');
  const output = bindings.buffer(kernel.output, 'output');
  const means = bindings.buffer(kernel.mean, 'means');
  const rstds = bindings.buffer(kernel.rstd, 'rstds');
  const element = elementWgsl(kernel);
  const body = `${groupWgsl(kernel)}
  var lane_sum = 0.0;
  for (var column = lane; column < ${columns}u; column += LANES) {
    ${element}
    lane_sum += ${x.at('at')};
  }
  let rough = row_sum(thread, lane_sum) / ${f32Literal(columns)};
  var lane_deviation = 0.0;
  var lane_square = 0.0;
  for (var column = lane; column < ${columns}u; column += LANES) {
    ${element}
    let deviation = ${x.at('at')} - rough;
    lane_deviation += deviation;
    lane_square += deviation * deviation;
  }
  let correction = row_sum(thread, lane_deviation) / ${f32Literal(columns)};
  let variance = row_sum(thread, lane_square) / ${f32Literal(columns)} - correction * correction;
  let mean = rough + correction;
  let scale = 1.0 / sqrt(variance + ${f32Literal(epsilon)});
  if (!inside) { return; }
  if (lane == 0u) {
    ${means.set('row', 'mean')}
    ${rstds.set('row', 'scale')}
  }
  for (var column = lane; column < ${columns}u; column += LANES) {
    ${element}
    let normalised = (${x.at('at')} - mean) * scale;
    ${output.set('at', `normalised * ${weight.at('first_channel + offset')} + ${bias.at('first_channel + offset')}`)}
  }`;
  return [rowDispatch({ label: 'groupNorm', rows: batch * groups, columns, bindings, body, device: context.device })];
}

/** With h = (x - mean) rstd: dx = rstd (dy w - mean(dy w) - h mean(dy w h)). */
export function lowerGroupNormGrad(kernel: GroupNormGradKernel, context: LoweringContext): Dispatch[] {
  const { batch, positions, channels, groups } = kernel;
  const columns = (positions * channels) / groups;
  const bindings = new BindingSet(context);
  const x = bindings.buffer(kernel.x, 'x');
  const weight = bindings.buffer(kernel.weight, 'weight');
  const means = bindings.buffer(kernel.mean, 'means');
  const rstds = bindings.buffer(kernel.rstd, 'rstds');
  const dy = bindings.buffer(kernel.dy, 'dy');
  const dx = bindings.buffer(kernel.dx, 'dx');
  const element = `${elementWgsl(kernel)}
    let g = ${dy.at('at')} * ${weight.at('first_channel + offset')};
    let h = (${x.at('at')} - mean) * scale;`;
  const body = `${groupWgsl(kernel)}
  let mean = ${means.at('row')};
  let scale = ${rstds.at('row')};
  var lane_shift = 0.0;
  var lane_tilt = 0.0;
  for (var column = lane; column < ${columns}u; column += LANES) {
    ${element}
    lane_shift += g;
    lane_tilt += g * h;
  }
  let shift = row_sum(thread, lane_shift) / ${f32Literal(columns)};
  let tilt = row_sum(thread, lane_tilt) / ${f32Literal(columns)};
  if (!inside) { return; }
  for (var column = lane; column < ${columns}u; column += LANES) {
    ${element}
    ${dx.set('at', 'scale * (g - shift - h * tilt)')}
  }`;
  const label = 'groupNormGrad';
  return [rowDispatch({ label, rows: batch * groups, columns, bindings, body, device: context.device })];
}
