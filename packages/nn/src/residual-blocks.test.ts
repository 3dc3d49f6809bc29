import { constant, evaluate, mapTree, PhiloxStream, sizeOf, type Tensor } from '@transfusion/tensor';
import {
  type DownBlockParameters,
  downBlock,
  isParameterSpec,
  resnet,
  resnetSpecs,
  samplerSpec,
  type UpBlockParameters,
  upBlock,
} from './index.js';

const norm = { groups: 2, epsilon: 1e-6 };
const stream = new PhiloxStream(4);
const normals = (shape: readonly number[]) =>
  constant(
    Float32Array.from({ length: sizeOf(shape) }, () => 0.3 * stream.normal()),
    shape,
  );
const random = <T>(specs: T) => mapTree(specs, isParameterSpec, ({ shape }) => normals(shape));
const values = (x: Tensor) => [...evaluate([x], new Map())[0]];
const x = normals([1, 4, 6, 2]);

test('a block that halves: the first residual block changes the channels', () => {
  const p = random({ resnets: resnetSpecs(2, 2, 4), downsamplers: [samplerSpec(4)] }) as DownBlockParameters;
  expect(p.resnets[0].conv_shortcut).toBeDefined();
  expect(p.resnets[1].conv_shortcut).toBeUndefined();
  expect(downBlock(p, x, norm).shape).toEqual([1, 2, 3, 4]);
  expect(downBlock({ resnets: p.resnets }, x, norm).shape).toEqual([1, 4, 6, 4]);
  const [first, second] = p.resnets;
  expect(values(downBlock({ resnets: p.resnets }, x, norm))).toEqual(
    values(resnet(second, resnet(first, x, norm), norm)),
  );
});

test('a block that doubles', () => {
  const p = random({ resnets: resnetSpecs(1, 2, 2), upsamplers: [samplerSpec(2)] }) as UpBlockParameters;
  expect(upBlock(p, x, norm).shape).toEqual([1, 8, 12, 2]);
});

test('without a second convolution the residual is its bias', () => {
  const [p] = random(resnetSpecs(1, 2, 2));
  const silent = { ...p, conv2: { weight: p.conv2.weight.mul(0), bias: p.conv2.bias } };
  const [b0, b1] = values(p.conv2.bias);
  values(resnet(silent, x, norm)).forEach((value, i) => {
    expect(value).toBeCloseTo(values(x)[i] + (i % 2 === 0 ? b0 : b1), 5);
  });
});
