/** @file Convolutions and what stands around them in image models: group norm, nearest upsampling. */
import { type Conv2dOptions, conv2d, upsampleNearest } from '../ops/conv2d.js';
import { groupNorm } from '../ops/group-norm.js';
import { type ConformanceCase, normal } from './case.js';

interface ConvolutionSizes {
  name: string;
  /** [batch, height, width, channels] */
  image: [number, number, number, number];
  /** [kernelHeight, kernelWidth, outputChannels] */
  filters: [number, number, number];
  options?: Conv2dOptions;
}

const sizes: ConvolutionSizes[] = [
  { name: 'one pixel', image: [1, 1, 1, 1], filters: [1, 1, 1] },
  { name: '1x1', image: [2, 3, 5, 4], filters: [1, 1, 7] },
  { name: '3x3', image: [1, 5, 4, 3], filters: [3, 3, 5], options: { padding: 1 } },
  { name: '3x3 without padding', image: [2, 5, 6, 2], filters: [3, 3, 3] },
  { name: '2x3 filter', image: [1, 5, 4, 2], filters: [2, 3, 3], options: { padding: { left: 1, bottom: 2 } } },
  { name: 'stride 2', image: [2, 7, 6, 3], filters: [3, 3, 4], options: { stride: 2, padding: 1 } },
  {
    name: 'stride 2, padded below and to the right',
    image: [1, 6, 6, 3],
    filters: [3, 3, 4],
    options: { stride: 2, padding: { bottom: 1, right: 1 } },
  },
  { name: 'stride 3 x 2, 2x2 filter', image: [1, 8, 7, 2], filters: [2, 2, 3], options: { stride: [3, 2] } },
  { name: 'wider than its image', image: [1, 2, 2, 2], filters: [5, 5, 2], options: { padding: 2 } },
  { name: '16 channels', image: [2, 6, 9, 16], filters: [3, 3, 16], options: { padding: 1 } },
  { name: '3 to 33 channels', image: [1, 17, 13, 3], filters: [3, 3, 33], options: { padding: 1 } },
  { name: '65 to 3 channels', image: [1, 9, 10, 65], filters: [3, 3, 3], options: { padding: 1 } },
  {
    name: '32 to 40 channels, stride 2',
    image: [2, 12, 12, 32],
    filters: [3, 3, 40],
    options: { stride: 2, padding: { bottom: 1, right: 1 } },
  },
];

const convolutions = sizes.map(
  ({ name, image, filters: [height, width, outputs], options }): ConformanceCase => ({
    name: `conv2d, ${name}`,
    inputs: { x: normal(image), weight: normal([height, width, image[3], outputs], 0.5) },
    fn: ({ x, weight }) => conv2d(x, weight, options),
    tolerance: 1e-4,
  }),
);

const groupNorms = [
  { name: 'one group', shape: [2, 3, 5, 4], groups: 1 },
  { name: 'a group per channel', shape: [2, 4, 3, 5], groups: 5 },
  { name: 'groups of 3', shape: [2, 7, 5, 12], groups: 4 },
  { name: 'groups of 4', shape: [3, 5, 16], groups: 4 },
  { name: 'groups of 8', shape: [1, 6, 6, 32], groups: 4 },
  { name: 'one position', shape: [3, 24], groups: 3 },
].map(
  ({ name, shape, groups }): ConformanceCase => ({
    name: `group norm, ${name}`,
    inputs: { x: normal(shape), weight: normal([shape[shape.length - 1]]), bias: normal([shape[shape.length - 1]]) },
    fn: ({ x, weight, bias }) => groupNorm(x.add(1.5), { groups, weight, bias, epsilon: 1e-3 }),
    tolerance: 5e-5,
  }),
);

export const convolutionCases: readonly ConformanceCase[] = [
  ...convolutions,
  ...groupNorms,
  {
    name: 'group norm of a large image',
    inputs: { x: normal([1, 40, 50, 64]), weight: normal([64]), bias: normal([64]) },
    fn: ({ x, weight, bias }) => groupNorm(x.add(3), { groups: 32, weight, bias }),
    tolerance: 1e-4,
  },
  ...[1, 2, 3].map(
    (factor): ConformanceCase => ({
      name: `nearest upsampling by ${factor}`,
      inputs: { x: normal([2, 3, 4, 5]) },
      fn: ({ x }) => upsampleNearest(x, factor),
      tolerance: 1e-6,
    }),
  ),
  {
    name: 'conv2d with bias, activation and residual',
    inputs: {
      x: normal([2, 5, 6, 8]),
      weight: normal([3, 3, 8, 12], 0.3),
      bias: normal([12]),
      residual: normal([2, 5, 6, 12]),
    },
    fn: ({ x, weight, bias, residual }) => conv2d(x, weight, { padding: 1 }).add(bias).silu().add(residual),
    tolerance: 1e-4,
  },
  {
    name: 'residual block: norm, activation, convolution, upsampling',
    inputs: {
      x: normal([1, 4, 4, 8]),
      weight: normal([3, 3, 8, 8], 0.3),
      scale: normal([8]),
      bias: normal([8]),
    },
    fn: ({ x, weight, scale, bias }) =>
      upsampleNearest(conv2d(groupNorm(x, { groups: 2, weight: scale, bias }).silu(), weight, { padding: 1 }).add(x)),
    tolerance: 2e-4,
  },
];
