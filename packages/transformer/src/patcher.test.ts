import { constant, evaluate, PhiloxStream, type Tensor } from '@transfusion/tensor';
import { forward, type ModelConfig, patchify, predictLatents, unpatchify } from './index.js';
import { plainModel } from './testing/plain-model.js';
import { asTensors, randomWeights, tinyConfig } from './testing/sequence.js';

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
    });
    const images = [group(wide, [1, 2, 4, 3], timesteps[0], 2), group(tall, [1, 4, 2, 3], timesteps[1], 6)];
    const { hidden, groups } = forward(config, p, {
      ...{ tokens: perPosition(tokens), positions: perPosition(tokens.map((_, i) => i)) },
      ...{ begin: perPosition(tokens.map(() => 0)), end: perPosition(end), images },
    });
    const predictions = groups.map((each, i) => predictLatents(hidden, each, integers(i ? [6, 7] : [2, 3], [1, 2])));
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
