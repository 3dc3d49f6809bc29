import { PhiloxStream } from '@transfusion/tensor';
import { PixelCodec } from '@transfusion/vae';
import { drawLatents, encodeVariants } from './picture-latents.js';

const image = { width: 2, height: 2, pixels: Uint8Array.from({ length: 2 * 2 * 3 }, (_, i) => i * 20) };
const grid = { height: 1, width: 1 };

test('variants are the picture and its mirror image', async () => {
  const [[own, mirrored]] = await encodeVariants(new PixelCodec(), [image], true);
  expect([...mirrored.mean.subarray(0, 6)]).toEqual([...own.mean.subarray(3, 6), ...own.mean.subarray(0, 3)]);
  expect(await encodeVariants(new PixelCodec(), [image], false)).toEqual([[own]]);
  expect(await encodeVariants(new PixelCodec(), [], true)).toEqual([]);
});

test('pictures of several sizes keep their order, and all are counted', async () => {
  const wide = { width: 4, height: 1, pixels: new Uint8Array(12).fill(255) };
  const done: number[] = [];
  const onProgress = (count: number) => void done.push(count);
  const encoded = await encodeVariants(new PixelCodec(), [image, wide, image], false, { onProgress });
  expect(encoded.map(([{ mean }]) => mean[0])).toEqual([-1, 1, -1]);
  expect(done).toEqual([2, 3]);
});

test('draws as the distribution says, from every variant, the same for the same stream', () => {
  const two = {
    grid,
    variants: [
      { mean: new Float32Array(2000).fill(10), deviation: new Float32Array(2000).fill(2) },
      { mean: new Float32Array(2000).fill(-10), deviation: new Float32Array(2000).fill(2) },
    ],
  };
  const means = Array.from({ length: 20 }, (_, seed) => {
    const { latents: values } = drawLatents(two, new PhiloxStream(seed), { isRead: false });
    expect(drawLatents(two, new PhiloxStream(seed), { isRead: false })).toEqual({ latents: values, isView: false });
    const mean = values.reduce((sum, value) => sum + value / values.length, 0);
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2 / values.length, 0);
    expect(Math.abs(Math.sqrt(variance) - 2)).toBeLessThan(0.2);
    return Math.round(mean / 10);
  });
  expect(new Set(means)).toEqual(new Set([-1, 1]));
  const certain = { grid, variants: [{ mean: new Float32Array(3).fill(5) }] };
  expect([...drawLatents(certain, new PhiloxStream(0), { isRead: true }).latents]).toEqual([5, 5, 5]);
});

test('a view is drawn where the picture is read, as often as the picture itself, and nowhere else', () => {
  const of = (value: number) => ({ mean: Float32Array.of(value) });
  const viewed = { grid, variants: [of(0)], views: [of(1), of(2), of(3)] };
  const drawn = (isRead: boolean) =>
    Array.from({ length: 400 }, (_, seed) => drawLatents(viewed, new PhiloxStream(seed), { isRead }));
  expect(drawn(false).every(({ latents: [value], isView }) => value === 0 && !isView)).toBe(true);
  const read = drawn(true);
  expect(read.every(({ latents: [value], isView }) => isView === value > 0)).toBe(true);
  for (const value of [0, 1, 2, 3]) {
    const count = read.filter(({ latents: [one] }) => one === value).length;
    // Four standard errors.
    expect(Math.abs(count - 100)).toBeLessThan(4 * Math.sqrt(400 * 0.25 * 0.75));
  }
});
