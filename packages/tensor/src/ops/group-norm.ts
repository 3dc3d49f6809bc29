/**
 * @file Group norm (Wu and He 2018) over the last axis' channels in groups, and layer norm (Ba et al. 2016), which is
 * its case of one group and one position.
 */
import { apply, applyAll, type OpDefinition, type Tensor, type TensorType } from '../graph/node.js';
import { sameShape, shapeError, showShape, sizeOf } from '../graph/shape.js';
import type { GroupNormShape } from '../program/kernels/index.js';
import { requireDType } from './elementwise.js';

interface GroupNormAttributes {
  groups: number;
  epsilon: number;
}

/** The sizes of a group norm of x [batch, ..., channels]. */
function groupNormShape({ shape }: TensorType, groups: number): GroupNormShape {
  return { batch: shape[0], positions: sizeOf(shape.slice(1, -1)), channels: shape[shape.length - 1], groups };
}

/** Inputs x, weight, bias; outputs y like x, mean and rstd [batch, groups]. */
export const groupNormOp: OpDefinition<GroupNormAttributes> = {
  name: 'groupNorm',
  infer([x, weight, bias], { groups }) {
    for (const t of [x, weight, bias]) requireDType('groupNorm', t, 'f32');
    const channels = x.shape.at(-1) ?? 0;
    if (x.shape.length < 2 || !sameShape(weight.shape, [channels]) || !sameShape(bias.shape, [channels])) {
      throw shapeError(
        `groupNorm(x, weight, bias): x is ${showShape(x.shape)}, so weight and bias must be its last axis, got ${showShape(weight.shape)} and ${showShape(bias.shape)}`,
      );
    }
    if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
      throw shapeError(`groupNorm: ${groups} groups must divide the ${channels} channels of x ${showShape(x.shape)}`);
    }
    const statistics: TensorType = { shape: [x.shape[0], groups], dtype: 'f32' };
    return [x, statistics, statistics];
  },
  reference({ inputs: [x, weight, bias], inputTypes, attributes: { groups, epsilon } }) {
    const shape = groupNormShape(inputTypes[0], groups);
    const y = new Float64Array(x.length);
    const mean = new Float64Array(shape.batch * groups);
    const rstd = new Float64Array(shape.batch * groups);
    forEachGroup(shape, (group, elements) => {
      mean[group] = elements.reduce((sum, at) => sum + x[at], 0) / elements.length;
      const variance = elements.reduce((sum, at) => sum + (x[at] - mean[group]) ** 2, 0) / elements.length;
      rstd[group] = 1 / Math.sqrt(variance + epsilon);
      for (const at of elements) {
        const channel = at % shape.channels;
        y[at] = (x[at] - mean[group]) * rstd[group] * weight[channel] + bias[channel];
      }
    });
    return [y, mean, rstd];
  },
  gradient({ inputs: [x, weight], outputs: [, mean, rstd], gradients: [g], attributes: { groups } }) {
    if (!g) return [];
    const { batch, positions, channels } = groupNormShape(x, groups);
    const grouped = [batch, positions, groups, channels / groups];
    const perGroup = [batch, 1, groups, 1];
    const normalised = x.reshape(grouped).sub(mean.reshape(perGroup)).mul(rstd.reshape(perGroup));
    return [
      apply(groupNormGradOp, [x, weight, mean, rstd, g], { groups }),
      g.reshape(grouped).mul(normalised).sum([0, 1]).reshape([channels]),
      g.reshape([batch * positions, channels]).sum(0),
    ];
  },
  kernel({ inputs, attributes: { groups, epsilon }, reads: [x, weight, bias], writes: [output, mean, rstd] }) {
    const shape = groupNormShape(inputs[0], groups);
    return { kind: 'groupNorm', ...shape, epsilon, x, weight, bias, output, mean, rstd };
  },
};

/** Inputs x, weight, mean, rstd, dy; output dx = rstd (dy w - mean(dy w) - h mean(dy w h)), h = (x - mean) rstd. */
const groupNormGradOp: OpDefinition<{ groups: number }> = {
  name: 'groupNormGrad',
  infer: ([x]) => [x],
  reference({ inputs: [x, weight, mean, rstd, dy], inputTypes, attributes: { groups } }) {
    const shape = groupNormShape(inputTypes[0], groups);
    const dx = new Float64Array(x.length);
    forEachGroup(shape, (group, elements) => {
      const scaled = (at: number) => dy[at] * weight[at % shape.channels];
      const normalised = (at: number) => (x[at] - mean[group]) * rstd[group];
      const shift = elements.reduce((sum, at) => sum + scaled(at), 0) / elements.length;
      const tilt = elements.reduce((sum, at) => sum + scaled(at) * normalised(at), 0) / elements.length;
      for (const at of elements) dx[at] = rstd[group] * (scaled(at) - shift - normalised(at) * tilt);
    });
    return [dx];
  },
  kernel({ inputs, attributes: { groups }, reads: [x, weight, mean, rstd, dy], writes: [dx] }) {
    return { kind: 'groupNormGrad', ...groupNormShape(inputs[0], groups), x, weight, mean, rstd, dy, dx };
  },
};

/** Calls `visit` for every (batch, group) with the offsets of its elements. */
function forEachGroup(
  { batch, positions, channels, groups }: GroupNormShape,
  visit: (group: number, elements: number[]) => void,
): void {
  const width = channels / groups;
  for (let group = 0; group < batch * groups; group++) {
    const first = Math.floor(group / groups) * positions * channels + (group % groups) * width;
    const elements: number[] = [];
    for (let p = 0; p < positions; p++) {
      for (let c = 0; c < width; c++) elements.push(first + p * channels + c);
    }
    visit(group, elements);
  }
}

export interface GroupNormOptions {
  /** divides the number of channels */
  groups: number;
  /** [channels] */
  weight: Tensor;
  /** [channels] */
  bias: Tensor;
  /** default 1e-5 */
  epsilon?: number;
}

/** Group norm of x [batch, ..., channels]: mean 0 and variance 1 over each group of each batch element, then weight and bias. */
export function groupNorm(x: Tensor, { groups, weight, bias, epsilon = 1e-5 }: GroupNormOptions): Tensor {
  return applyAll(groupNormOp, [x, weight, bias], { groups, epsilon })[0];
}

/** Layer norm of x [..., channels] with weight and bias [channels]. */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon = 1e-5): Tensor {
  if (x.rank < 1) throw shapeError('layerNorm: x needs at least one axis');
  return groupNorm(x.reshape([-1, x.shape.at(-1)!]), { groups: 1, weight, bias, epsilon }).reshape(x.shape);
}
