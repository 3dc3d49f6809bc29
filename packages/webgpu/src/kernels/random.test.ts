/** @jest-environment ./test/webgpu-environment.mjs */
import type { Backend, RandomKernel } from '@transfusion/tensor';
import { openTestBackend } from '../testing/backend.js';
import { KernelRun } from '../testing/kernel-run.js';
import { largestError } from '../testing/numbers.js';
import { philox, randomReference } from '../testing/philox-reference.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openTestBackend();
});
afterAll(() => backend.dispose());

async function random(shape: Pick<RandomKernel, 'distribution' | 'elements' | 'stream'>, seed: number[]) {
  const run = new KernelRun(backend);
  const operands = { seed: run.input(Int32Array.from(seed)), output: run.output(shape.elements) };
  const [output] = await run.run([{ kind: 'random', ...shape, ...operands }], [operands.output]);
  return output!;
}

test('the reference gives the known answers of Random123', () => {
  expect(philox([0, 0], [0, 0, 0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  expect(philox([-1, -1], [-1, -1, -1, -1])).toEqual([0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
});

test('uniform numbers are the known answers of Random123', async () => {
  const output = await random({ distribution: 'uniform', elements: 4, stream: 0 }, [0, 0, 0, 0]);
  const words = [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8];
  expect(Array.from(output)).toEqual(words.map((word) => (word >>> 8) * 2 ** -24));
});

const SEEDS = [
  [0, 0, 0, 0],
  [-1, -1, -1, -1],
  [0x243f6a88, 0x05a308d3 - 2 ** 31, 12345, -6789],
];

describe.each(SEEDS)('seed %i, %i, %i, %i', (...seed) => {
  test.each([1, 3, 17, 1000])('%i uniform numbers: the same bits', async (elements) => {
    const shape = { distribution: 'uniform', elements, stream: 4_000_000_000 } as const;
    expect(Array.from(await random(shape, seed))).toEqual(Array.from(randomReference(shape, seed)));
  });

  test.each([2, 33, 20_000])('%i normal numbers: the same to a few units in the last place', async (elements) => {
    const shape = { distribution: 'normal', elements, stream: 3 } as const;
    expect(largestError(await random(shape, seed), randomReference(shape, seed))).toBeLessThan(5e-7);
  });
});

test('the seed is data: another counter gives other numbers, the same one the same', async () => {
  const shape = { distribution: 'uniform', elements: 64, stream: 0 } as const;
  const first = Array.from(await random(shape, [1, 2, 3, 4]));
  expect(Array.from(await random(shape, [1, 2, 3, 4]))).toEqual(first);
  for (const other of [
    [1, 2, 4, 4],
    [1, 2, 3, 5],
    [2, 2, 3, 4],
    [1, 3, 3, 4],
  ]) {
    const numbers = await random(shape, other);
    expect(first.filter((value, i) => value === numbers[i]).length).toBeLessThan(2);
  }
});
