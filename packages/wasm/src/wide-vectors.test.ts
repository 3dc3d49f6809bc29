import { isWideFaster } from './wide-vectors.js';

/** The shortest module there is. */
const EMPTY = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

interface Behaviour {
  /** Milliseconds of a call, before and after the engine has optimised the module. */
  before: number;
  after: number;
  /** A number of its results. */
  result?: number;
  /** Calls until it is optimised. */
  calls?: number;
}

/** The verdict on two modules that behave like this: narrow, then wide. */
function verdict(narrow: Behaviour, wide: Behaviour): Promise<boolean> {
  const behaviours = [narrow, wide];
  return isWideFaster(EMPTY, EMPTY, (_, memory) => {
    const { before, after, result = 1, calls = 20 } = behaviours.shift()!;
    let called = 0;
    return {
      probe(_a, _b, c) {
        const end = performance.now() + (++called > calls ? after : before);
        new Float32Array(memory.buffer, c, 8)[7] = result;
        while (performance.now() < end);
      },
    };
  });
}

const usual: Behaviour = { before: 0.8, after: 0.2 };

test('faster and equal in every bit: taken', async () => {
  expect(await verdict(usual, { before: 0.8, after: 0.1 })).toBe(true);
});

test('as fast, or slower, as where wide tiles spill: not taken', async () => {
  expect(await verdict(usual, usual)).toBe(false);
  expect(await verdict(usual, { before: 0.8, after: 0.35 })).toBe(false);
});

test('faster only until the other is optimised too: not taken', async () => {
  expect(await verdict({ ...usual, calls: 60 }, { ...usual, calls: 20 })).toBe(false);
});

test('faster with another result, be it by the last bit: not taken', async () => {
  expect(await verdict(usual, { before: 0.8, after: 0.1, result: 1 + 2 ** -23 })).toBe(false);
});

test('never optimised: given up', async () => {
  const begun = performance.now();
  expect(await verdict({ before: 1, after: 1 }, { before: 1, after: 0.1 })).toBe(false);
  expect(performance.now() - begun).toBeLessThan(2000);
});
