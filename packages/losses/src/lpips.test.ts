import { join } from 'node:path';
import { type Backend, compile, constant, createVariable, evaluate, f32, grad, mapTree } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { type LpipsParameters, lpips, lpipsWeights, type StoredTensor } from './index.js';
import { readGolden, relativeError } from './testing/golden.js';

const golden = readGolden(join(__dirname, '../fixtures/lpips.safetensors'));
const channels = [4, 6, 8, 8, 8];
type Weight = { shape: number[]; data: Float32Array };
const isWeight = (value: unknown): value is Weight => (value as Weight)?.data instanceof Float32Array;
const weights = lpipsWeights({ tensors: golden, channels });
const constants = mapTree(weights, isWeight, ({ shape, data }: Weight) => constant(data, shape)) as LpipsParameters;

describe('on wasm', () => {
  let backend: Backend;
  beforeAll(async () => (backend = await openWasm({ threads: 1 })));
  afterAll(() => backend.dispose());

  test('distances, and their gradient in an image, as in PyTorch', async () => {
    const [a, b] = ['a', 'b'].map((name) => golden.get(`expected/${name}`)!);
    const compiled = await compile({
      backend,
      name: 'lpips',
      inputs: { a: f32(...a.shape), b: f32(...b.shape) },
      state: mapTree(weights, isWeight, (options: Weight) => createVariable(backend, options)) as never,
      fn: (images, p: LpipsParameters) => {
        const distance = lpips(p, images.a, images.b);
        const [gradient] = grad(distance.mean(), [images.b]);
        return { outputs: { distance, gradient } };
      },
    });
    const { distance, gradient } = await compiled.run({ a: a.data, b: b.data });
    expect(relativeError(distance, golden.get('expected/distance')!.data)).toBeLessThan(1e-4);
    expect(relativeError(gradient, golden.get('expected/gradient')!.data)).toBeLessThan(1e-4);
  });
});

test('an image is at distance 0 from itself; where no feature is active, any two are, with a gradient of 0', () => {
  const image = constant(new Float32Array(16 * 16 * 3), [1, 16, 16, 3]);
  const other = constant(
    Float32Array.from({ length: 16 * 16 * 3 }, (_, i) => Math.sin(i)),
    [1, 16, 16, 3],
  );
  const inactive: LpipsParameters = {
    levels: weights.levels.map((level) =>
      level.map(({ weight, bias }) => ({
        weight: constant(new Float32Array(weight.data.length), weight.shape),
        bias: constant(new Float32Array(bias.data.length).fill(-1), bias.shape),
      })),
    ),
    lin: constants.lin,
  };
  for (const [p, a] of [
    [constants, image],
    [inactive, other],
  ] as const) {
    const distance = lpips(p, a, image);
    const [value, gradient] = evaluate([distance, grad(distance.sum(), [image])[0]], new Map());
    expect(value[0]).toBe(0);
    expect(gradient.every((each) => each === 0)).toBe(true);
  }
  expect(evaluate([lpips(constants, other, image)], new Map())[0][0]).toBeGreaterThan(0.01);
});

test('what does not fit is refused by name', () => {
  const without = new Map<string, StoredTensor>(golden);
  without.delete('vgg16.features.12.bias');
  expect(() => lpipsWeights({ tensors: without, channels, where: 'lpips.safetensors' })).toThrow(
    /LPIPS_WEIGHTS: lpips\.safetensors: vgg16\.features\.12\.bias is missing, expected \[8\]\s+fix: .*convert_lpips\.py/,
  );
  expect(() => lpipsWeights({ tensors: golden })).toThrow(
    /vgg16\.features\.0\.weight is \[4, 3, 3, 3\], expected \[64, 3, 3, 3\]/,
  );
  const small = constant(new Float32Array(15 * 16 * 3), [1, 15, 16, 3]);
  expect(() => lpips(constants, small, small)).toThrow(/LPIPS_IMAGE_SIZE: lpips: images are 16 x 15/);
});
