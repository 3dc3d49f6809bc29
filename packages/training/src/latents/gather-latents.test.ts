import { createLocalGroup } from '@transfusion/distributed';
import type { LatentDistribution } from '@transfusion/vae';
import { encodeVariants } from './picture-latents.js';

/** Of two sizes; more than two parts of the first, one of the second. */
const pictures = Array.from({ length: 150 }, (_, i) => {
  const width = i % 25 === 0 ? 2 : 1;
  return { width, height: 1, pixels: Uint8Array.from({ length: 3 * width }, (_, k) => (7 * i + k) % 256) };
});

/** Its latents tell the picture, and how many were encoded together. */
function codecOf(calls: number[], deviation: boolean) {
  return {
    async encodeDistribution({ images }: { images: readonly Float32Array[] }): Promise<LatentDistribution[]> {
      calls.push(images.length);
      return images.map((image) => {
        const mean = Float32Array.of(image[0], images.length);
        return deviation ? { mean, deviation: Float32Array.of(image[1]) } : { mean };
      });
    },
  };
}

test.each([
  { ranks: 2, flip: true, deviation: true },
  { ranks: 3, flip: false, deviation: false },
  { ranks: 5, flip: false, deviation: true },
])('$ranks ranks have what one process has, each part of it encoded once', async ({ ranks, flip, deviation }) => {
  const calls: number[] = [];
  const alone = await encodeVariants(codecOf(calls, deviation), pictures, flip);
  const shared: number[][] = [];
  const results = await Promise.all(
    createLocalGroup(ranks).map((communicator, rank) =>
      encodeVariants(codecOf((shared[rank] = []), deviation), pictures, flip, { communicator }),
    ),
  );
  for (const result of results) expect(result).toEqual(alone);
  expect(shared.flat().sort()).toEqual(calls.sort());
  expect(Math.max(...shared.map(({ length }) => length))).toBeLessThan(calls.length);
});
