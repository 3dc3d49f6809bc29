import { constant, evaluate, mapTree, PhiloxStream, sizeOf, type Tensor } from '@transfusion/tensor';
import {
  type DownBlockParameters,
  downBlock,
  isParameterSpec,
  linear,
  type ResnetParameters,
  resnet,
  resnetSpec,
  resnetSpecs,
  samplerSpec,
  type UpBlockParameters,
  upBlock,
} from './index.js';
import { directionalErrors } from './testing/directional.js';

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

describe('a block with a timestep', () => {
  const p = random(resnetSpec(2, 4, 3)) as ResnetParameters;
  const time = normals([1, 3]);

  test('adds linear(silu(time)) to what the first convolution gives: its bias could be that', () => {
    const shift = linear(p.time_emb_proj!, time.silu()).reshape([4]);
    const shifted = { ...p, time_emb_proj: undefined, conv1: { ...p.conv1, bias: p.conv1.bias.add(shift) } };
    const expected = values(resnet(shifted, x, norm));
    expect(values(resnet(p, x, norm, time))).toEqual(expected.map((value) => expect.closeTo(value, 12)));
    expect(values(resnet(p, x, norm, time.mul(2)))).not.toEqual(expected.map((value) => expect.closeTo(value, 3)));
  });

  test.each([
    ['group norm', norm],
    ['layer norm', { groups: 1, perPosition: true }],
  ])('its gradient with %s, by differences', (_, chosen) => {
    const errors = directionalErrors({ p, x, time }, (tree) => resnet(tree.p, tree.x, chosen, tree.time).cos().sum());
    expect(errors.size).toBe(14);
    expect([...errors].filter(([, error]) => !(error < 1e-4))).toEqual([]);
  });
});
