/** @file Philox 4x32-10 (Salmon et al. 2011) with BigInt products, and the numbers `RandomKernel` makes of its words. */
import type { RandomKernel } from '@transfusion/tensor';

/** The four words of the block with this key (2 words) and counter (4 words). */
export function philox(key: readonly number[], counter: readonly number[]): number[] {
  let [k0, k1] = key.map((word) => word >>> 0) as [number, number];
  let words = counter.map((word) => word >>> 0);
  for (let round = 0; round < 10; round++) {
    const first = 0xd2511f53n * BigInt(words[0]!);
    const second = 0xcd9e8d57n * BigInt(words[2]!);
    words = [
      (Number(second >> 32n) ^ words[1]! ^ k0) >>> 0,
      Number(second & 0xffffffffn),
      (Number(first >> 32n) ^ words[3]! ^ k1) >>> 0,
      Number(first & 0xffffffffn),
    ];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return words;
}

/** The output of a random kernel, in f64. */
export function randomReference(
  kernel: Pick<RandomKernel, 'distribution' | 'elements' | 'stream'>,
  seed: ArrayLike<number>,
): Float64Array {
  const output: number[] = [];
  for (let block = 0; output.length < kernel.elements; block++) {
    const words = philox([seed[0]!, seed[1]!], [block, kernel.stream, seed[2]!, seed[3]!]);
    if (kernel.distribution === 'uniform') {
      output.push(...words.map((word) => (word >>> 8) * 2 ** -24));
      continue;
    }
    for (const [w0, w1] of [words.slice(0, 2), words.slice(2)] as [number, number][]) {
      const radius = Math.sqrt(-2 * Math.log(((w0 >>> 8) + 1) * 2 ** -24));
      const angle = 2 * Math.PI * (w1 >>> 8) * 2 ** -24;
      output.push(radius * Math.cos(angle), radius * Math.sin(angle));
    }
  }
  return Float64Array.from(output.slice(0, kernel.elements));
}
