import { type Backend, compile, constant, evaluate, f32, grad } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { ssim } from 'ssim.js';
import { structuralSimilarity } from './index.js';
import { relativeError } from './testing/golden.js';

/** Gray pictures of whole numbers from 0 to 255. */
const picture = (value: (y: number, x: number) => number) =>
  Float32Array.from({ length: 24 * 17 }, (_, i) => Math.round(value(Math.floor(i / 17), i % 17)));
const waves = (y: number, x: number) => 128 + 60 * Math.sin(y / 3) + 50 * Math.cos((x + y) / 5);
const original = picture(waves);
const noisy = picture((y, x) => waves(y, x) + (((y * 31 + x * 17) * 29) % 41) - 20);
const flat = picture((y, x) => 0.5 * waves(y, x));

const scaled = (gray: Float32Array) => gray.map((value) => value / 127.5 - 1);
const similarity = (a: Float32Array, b: Float32Array, shape = [1, 24, 17, 1]) => {
  const [x, y] = [a, b].map((gray) => constant(scaled(gray), shape));
  return [...evaluate([structuralSimilarity(x, y)], new Map())[0]];
};

/** As a canvas has it. */
const rgba = (gray: Float32Array) => ({
  width: 17,
  height: 24,
  data: Uint8ClampedArray.from({ length: gray.length * 4 }, (_, i) => (i % 4 === 3 ? 255 : gray[i >> 2])),
});

test.each([
  ['brighter', picture((y, x) => waves(y, x) + 9)],
  ['flatter', flat],
  ['noisy', noisy],
  ['mirrored', picture((y, x) => 255 - waves(y, x))],
])('of a %s picture: that of ssim.js', (_, other) => {
  const expected = ssim(rgba(original), rgba(other), { ssim: 'original' }).mssim;
  expect(similarity(original, other)[0]).toBeCloseTo(expected, 4);
});

test('every image and channel by itself, 1 for equal ones', () => {
  // Of two images with two channels, only the second channel of the second image differs.
  const both = (gray: Float32Array) =>
    Float32Array.from({ length: 2 * 24 * 17 * 2 }, (_, i) => {
      const [image, pixel, channel] = [Math.floor(i / (24 * 17 * 2)), Math.floor(i / 2) % (24 * 17), i % 2];
      return image === 0 || channel === 0 ? original[pixel] : gray[pixel];
    });
  for (const other of [flat, noisy]) {
    const [equal, half] = similarity(both(original), both(other), [2, 24, 17, 2]);
    expect(equal).toBeCloseTo(1, 6);
    expect(half).toBeCloseTo((1 + similarity(original, other)[0]) / 2, 5);
  }
});

describe('on wasm', () => {
  let backend: Backend;
  beforeAll(async () => (backend = await openWasm({ threads: 1 })));
  afterAll(() => backend.dispose());

  test('value and gradient are those of the definition in plain numbers and of finite differences', async () => {
    const [a, b] = [scaled(original), scaled(noisy)];
    const compiled = await compile({
      backend,
      name: 'ssim',
      inputs: { a: f32(1, 24, 17, 1), b: f32(1, 24, 17, 1) },
      fn: (images) => {
        const value = structuralSimilarity(images.a, images.b);
        return { outputs: { value, gradient: grad(value.sum(), [images.a])[0] } };
      },
    });
    const { value, gradient } = await compiled.run({ a, b });
    expect(value[0]).toBeCloseTo(byDefinition(a, b), 5);
    const places = [0, 100, 207, 333, 407];
    const step = 1e-4;
    const numeric = places.map((place) => {
      const moved = (by: number) => Array.from(a, (each, i) => (i === place ? each + by : each));
      return (byDefinition(moved(step), b) - byDefinition(moved(-step), b)) / (2 * step);
    });
    expect(
      relativeError(
        places.map((place) => gradient[place]),
        numeric,
      ),
    ).toBeLessThan(1e-3);
    expect(Math.max(...numeric.map(Math.abs))).toBeGreaterThan(1e-4);
  });
});

test('images smaller than the window are refused', () => {
  const small = constant(new Float32Array(10 * 16), [1, 10, 16, 1]);
  expect(() => structuralSimilarity(small, small)).toThrow('images are 16 x 10, its windows need at least 11 x 11');
});

/** Equation 13 of Wang et al. 2004 over all windows of 11, of one channel, 24 x 17, from [-1, 1] to [0, 1]. */
function byDefinition(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const weight = (k: number) => Math.exp(-((k - 5) ** 2) / 4.5);
  let total = 0;
  for (let y = 0; y < 14; y++) {
    for (let x = 0; x < 7; x++) {
      const sums = { w: 0, a: 0, b: 0, aa: 0, bb: 0, ab: 0 };
      for (let i = 0; i < 11; i++) {
        for (let j = 0; j < 11; j++) {
          const w = weight(i) * weight(j);
          const [p, q] = [a, b].map((image) => (image[(y + i) * 17 + x + j] + 1) / 2);
          sums.w += w;
          sums.a += w * p;
          sums.b += w * q;
          sums.aa += w * p * p;
          sums.bb += w * q * q;
          sums.ab += w * p * q;
        }
      }
      const [ma, mb] = [sums.a / sums.w, sums.b / sums.w];
      const [va, vb] = [sums.aa / sums.w - ma ** 2, sums.bb / sums.w - mb ** 2];
      const covariance = sums.ab / sums.w - ma * mb;
      const [c1, c2] = [0.01 ** 2, 0.03 ** 2];
      total += ((2 * ma * mb + c1) * (2 * covariance + c2)) / ((ma ** 2 + mb ** 2 + c1) * (va + vb + c2));
    }
  }
  return total / (14 * 7);
}
