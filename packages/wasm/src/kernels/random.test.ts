import type { RandomKernel } from '@transfusion/tensor';
import { type KernelRun, useKernelRunner } from '../testing/kernel-runner.js';

const runner = useKernelRunner();

/** Philox 4x32-10 on BigInts, from the paper's definition. */
function philox(key: [number, number], counter: [number, number, number, number]): number[] {
  const mask = 0xffffffffn;
  let [k0, k1] = key.map((word) => BigInt(word >>> 0));
  let [c0, c1, c2, c3] = counter.map((word) => BigInt(word >>> 0));
  for (let round = 0; round < 10; round++) {
    const product0 = 0xd2511f53n * c0;
    const product1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(product1 >> 32n) ^ c1 ^ k0, product1 & mask, (product0 >> 32n) ^ c3 ^ k1, product0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [c0, c1, c2, c3].map(Number);
}

type Distribution = RandomKernel['distribution'];

function random(
  distribution: Distribution,
  elements: number,
  stream: number,
  seed: Int32Array,
): KernelRun<'seed' | 'output'> {
  return {
    inputs: { seed },
    outputs: { output: elements },
    kernel: (buffers) => ({ kind: 'random', distribution, elements, stream, ...buffers }),
  };
}

function reference(distribution: Distribution, elements: number, stream: number, seed: Int32Array): number[] {
  const numbers: number[] = [];
  for (let j = 0; numbers.length < elements; j++) {
    const words = philox([seed[0], seed[1]], [j, stream, seed[2], seed[3]]).map((word) => word >>> 8);
    if (distribution === 'uniform') {
      numbers.push(...words.map((word) => word / 2 ** 24));
      continue;
    }
    for (const [w0, w1] of [words.slice(0, 2), words.slice(2)]) {
      const radius = Math.sqrt(-2 * Math.log((w0 + 1) / 2 ** 24));
      const angle = (2 * Math.PI * w1) / 2 ** 24;
      numbers.push(radius * Math.cos(angle), radius * Math.sin(angle));
    }
  }
  return numbers.slice(0, elements);
}

test('published words of Philox 4x32-10', async () => {
  const zero = [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8];
  expect(philox([0, 0], [0, 0, 0, 0])).toEqual(zero);
  expect(philox([-1, -1], [-1, -1, -1, -1])).toEqual([0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
  const { output } = await runner.run(random('uniform', 4, 0, new Int32Array(4)));
  expect([...output]).toEqual(zero.map((word) => (word >>> 8) / 2 ** 24));
});

describe.each<Distribution>(['uniform', 'normal'])('%s numbers', (distribution) => {
  const tolerance = distribution === 'uniform' ? { absolute: 0, relative: 0 } : { absolute: 1e-6, relative: 2e-6 };

  test.each([1, 3, 17, 65, 20_001])('%d elements agree with the reference', async (elements) => {
    const seed = Int32Array.of(-123456789, 42, 7, -1);
    const run = random(distribution, elements, -3, seed);
    await runner.check(run, { output: reference(distribution, elements, -3, seed) }, tolerance);
  });
});

test('normal numbers have the moments of the normal distribution', async () => {
  const count = 1 << 18;
  const { output } = await runner.run(random('normal', count, 1, Int32Array.of(1, 2, 3, 4)));
  const moment = (power: number) => output.reduce((sum, x) => sum + x ** power, 0) / count;
  expect(Math.abs(moment(1))).toBeLessThan(0.01);
  expect(Math.abs(moment(2) - 1)).toBeLessThan(0.01);
  expect(Math.abs(moment(3))).toBeLessThan(0.03);
  expect(Math.abs(moment(4) - 3)).toBeLessThan(0.06);
});
