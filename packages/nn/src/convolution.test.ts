import { constant, evaluate, grad, type Tensor } from '@transfusion/tensor';
import {
  convolution,
  convolutionSpec,
  filterFromStored,
  filterToStored,
  groupNorm,
  leakyRelu,
  normSpec,
  relu,
  storedFilterShape,
} from './index.js';

const tensor = (shape: number[], ...data: number[]) => constant(Float32Array.from(data), shape);
const values = (x: Tensor) => [...evaluate([x], new Map())[0]];

test('a convolution adds its bias to every pixel, strides and pads', () => {
  const p = { weight: tensor([1, 1, 1, 2], 2, -1), bias: tensor([2], 10, 20) };
  const x = tensor([1, 2, 2, 1], 1, 2, 3, 4);
  expect(values(convolution(p, x))).toEqual([12, 19, 14, 18, 16, 17, 18, 16]);
  expect(values(convolution(p, x, { stride: 2 }))).toEqual([12, 19]);
  expect(values(convolution(p, x, { stride: 2, padding: { top: 1, bottom: 1 } }))).toEqual([10, 20, 16, 17]);
});

test("specs: a filter's deviation is that of PyTorch's default", () => {
  const { weight, bias } = convolutionSpec({ inputs: 3, outputs: 5, kernel: 4 });
  expect([weight.shape, bias.shape, weight.decays, bias.decays]).toEqual([[4, 4, 3, 5], [5], true, false]);
  // A uniform number within [-a, a] has the deviation a / sqrt(3), a = 1 / sqrt(48).
  expect(weight.initialiser).toEqual({ kind: 'normal', std: expect.closeTo(1 / Math.sqrt(48 * 3), 12) });
  const norm = normSpec(2);
  expect([norm.weight.initialiser, norm.bias.initialiser]).toEqual([
    { kind: 'constant', value: 1 },
    { kind: 'constant', value: 0 },
  ]);
});

test('group norm: each group of channels by itself, then gain and bias', () => {
  const p = { weight: tensor([4], 1, 2, 3, 4), bias: tensor([4], 0, 0, 0, 5) };
  const y = groupNorm(p, tensor([1, 1, 1, 4], 1, 3, -10, 10), { groups: 2, epsilon: 0 });
  expect(values(y).map((value) => Math.round(value * 1e6) / 1e6)).toEqual([-1, 2, -3, 9]);
});

test('per position, with one group: layer norm over channels', () => {
  const p = { weight: tensor([2], 1, 2), bias: tensor([2], 0, 5) };
  const x = tensor([1, 1, 3, 2], 1, 3, 40, -60, 7, 6);
  expect(values(groupNorm(p, x, { groups: 1, epsilon: 0, perPosition: true }))).toEqual([-1, 7, 1, 3, 1, 3]);
});

test('relu and leaky relu, and their slopes at 0', () => {
  const x = tensor([3], -2, 0, 3);
  expect(values(relu(x)).map(Math.abs)).toEqual([0, 0, 3]);
  expect(values(leakyRelu(x, 0.25))).toEqual([-0.5, 0, 3]);
  expect(values(grad(relu(x).sum(), [x])[0])).toEqual([0, 0, 1]);
  expect(values(grad(leakyRelu(x, 0.25).sum(), [x])[0])).toEqual([0.25, 0.25, 1]);
});

test('filters between the order of files and of tensors', () => {
  const shape = [2, 3, 4, 5]; // [height, width, inputs, outputs]
  expect(storedFilterShape(shape)).toEqual([5, 4, 2, 3]);
  const stored = Float32Array.from({ length: 120 }, (_, i) => i);
  const filter = filterFromStored(stored, shape);
  const [y, x, i, o] = [1, 2, 3, 4];
  expect(filter[((y * 3 + x) * 4 + i) * 5 + o]).toBe(((o * 4 + i) * 2 + y) * 3 + x);
  expect(filter[((0 * 3 + 2) * 4 + 1) * 5 + 3]).toBe(((3 * 4 + 1) * 2 + 0) * 3 + 2);
  expect(filterToStored(filter, shape)).toEqual(stored);
});
