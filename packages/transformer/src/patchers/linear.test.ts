import { constant, evaluate, grad, PhiloxStream, type Tensor } from '@transfusion/tensor';
import { createPatcher, forward, type ModelConfig, patchify, predictLatents, unpatchify } from '../index.js';
import { plainModel } from '../testing/plain-model.js';
import { asTensors, randomWeights, tinyConfig } from '../testing/sequence.js';

const values = (x: Tensor) => evaluate([x], new Map())[0];
const counted = (shape: number[]) =>
  constant(
    Float32Array.from({ length: shape.reduce((size, axis) => size * axis, 1) }, (_, i) => i),
    shape,
  );

test('patches stand left to right, top to bottom; their values are rows of pixels', () => {
  // 2 x 4 pixels of 2 channels, patches of 2 x 2.
  const patches = patchify(counted([1, 2, 4, 2]), 2);
  expect(patches.shape).toEqual([1, 2, 8]);
  expect([...values(patches)]).toEqual([0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15]);
});

test.each([
  [4, 6, 1],
  [4, 6, 2],
  [6, 3, 3],
])('images of %i x %i come back from patches of %i', (height, width, patchSize) => {
  const images = counted([3, height, width, 5]);
  const back = unpatchify(patchify(images, patchSize), { height, width, patchSize });
  expect(back.shape).toEqual(images.shape);
  expect([...values(back)]).toEqual([...values(images)]);
});

/** t B, an image of 2 x 4, E, B, an image of 4 x 2, E: patches of 2 x 2 pixels of 3 channels. */
describe('images of two sizes in one row', () => {
  const config: ModelConfig = tinyConfig({ patchSize: 2, patchValues: 12 });
  const weights = randomWeights(config);
  const stream = new PhiloxStream(3);
  const normals = (length: number) => Float32Array.from({ length }, () => stream.normal());
  const [wide, tall] = [normals(24), normals(24)];
  const timesteps = [700, 40];
  const tokens = [5, 1, -1, -1, 2, 1, -1, -1, 2];
  const end = tokens.map((token, i) => (token < 0 ? (i < 5 ? 4 : 8) : i + 1));
  const integers = (data: number[], shape: number[]) => constant(Int32Array.from(data), shape);
  const perPosition = (data: number[]) => integers(data, [1, 9]);

  test('each goes through the patcher of its size, and meets the other in the transformer', () => {
    const p = asTensors(config, weights);
    const group = (latents: Float32Array, shape: number[], timestep: number, first: number) => ({
      latents: constant(latents, shape),
      timesteps: constant(Float32Array.of(timestep), [1]),
      patchIndex: perPosition(tokens.map((_, i) => (i === first ? 0 : i === first + 1 ? 1 : -1))),
      patchPositions: integers([first, first + 1], [1, 2]),
    });
    const images = [group(wide, [1, 2, 4, 3], timesteps[0], 2), group(tall, [1, 4, 2, 3], timesteps[1], 6)];
    const { hidden, groups } = forward(config, p, {
      ...{ tokens: perPosition(tokens), positions: perPosition(tokens.map((_, i) => i)) },
      ...{ begin: perPosition(tokens.map(() => 0)), end: perPosition(end), images },
    });
    const predictions = groups.map((each) => predictLatents(hidden, each));
    expect(predictions.map(({ shape }) => shape)).toEqual([
      [1, 2, 4, 3],
      [1, 4, 2, 3],
    ]);

    const patches = Float32Array.from([
      ...values(patchify(constant(wide, [1, 2, 4, 3]), 2)),
      ...values(patchify(constant(tall, [1, 4, 2, 3]), 2)),
    ]);
    const expected = plainModel({
      ...{ config, weights, timesteps, patches, patchesPerImage: 2 },
      row: {
        ...{ tokens, positions: tokens.map((_, i) => i), begin: tokens.map(() => 0), end },
        patchIndex: [-1, -1, 0, 1, -1, -1, 2, 3, -1],
      },
      sees: end.map((last) => tokens.map((_, j) => j < last)),
    });
    [
      [2, 3],
      [6, 7],
    ].forEach((positions, i) => {
      const wanted = positions.flatMap((at) => expected.predictions[at]);
      values(patchify(predictions[i], 2)).forEach((value, at) => expect(value).toBeCloseTo(wanted[at], 4));
    });
  });
});

test('a bottleneck is a narrow product before the layer, whose gradient agrees with differences', () => {
  const config = tinyConfig({ patchSize: 2, patchValues: 12, patcher: { kind: 'linear', bottleneck: 5 } });
  const { patchBottleneck, patchIn, patchOut } = asTensors(config, randomWeights(config));
  const [bottleneck, wideWeight] = [patchBottleneck, patchIn!.weight] as [Tensor, Tensor];
  expect([bottleneck.shape, wideWeight.shape]).toEqual([
    [5, 12],
    [16, 5],
  ]);
  const stream = new PhiloxStream(8);
  const normals = (length: number) => Float32Array.from({ length }, () => stream.normal());
  const latents = constant(normals(48), [2, 2, 4, 3]);
  const time = constant(normals(32), [2, 16]);
  const vectorsOf = (narrow: Tensor) =>
    createPatcher(config, { patchBottleneck: narrow, patchIn, patchOut }, { height: 2, width: 4 }).before(latents, time)
      .vectors;
  const [narrow, wide, bias, times, patches] = [
    ...[bottleneck, wideWeight, patchIn!.bias, time],
    patchify(latents, 2),
  ].map(values);
  const expected = Array.from({ length: 4 * 16 }, (_, at) => {
    const [patch, channel] = [Math.floor(at / 16), at % 16];
    let sum = bias[channel] + times[Math.floor(patch / 2) * 16 + channel];
    for (let i = 0; i < 5; i++) {
      for (let j = 0; j < 12; j++) sum += wide[channel * 5 + i] * narrow[i * 12 + j] * patches[patch * 12 + j];
    }
    return sum;
  });
  values(vectorsOf(bottleneck)).forEach((value, i) => expect(value).toBeCloseTo(expected[i], 10));

  const direction = constant(normals(60), [5, 12]);
  const loss = (step: number) =>
    vectorsOf(bottleneck.add(direction.mul(step)))
      .cos()
      .sum();
  const h = 2 ** -12;
  const [[along], [after], [before]] = [grad(loss(0), [bottleneck])[0].mul(direction).sum(), loss(h), loss(-h)].map(
    values,
  );
  expect(Math.abs(along - (after - before) / (2 * h))).toBeLessThan(1e-5 * Math.abs(along));
});
