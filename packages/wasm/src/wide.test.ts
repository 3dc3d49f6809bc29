import type { Backend } from '@transfusion/tensor';
import { conformanceCases, runOnBackend } from '@transfusion/tensor/conformance';
import { openWasm } from './index.js';

/** Often enough for an engine that optimises to have done so. */
const TIMES = 30;

let narrow: Backend;
let wide: Backend;
beforeAll(async () => {
  narrow = await openWasm({ threads: 2, wide: false });
  wide = await openWasm({ threads: 1, wide: 'always' });
});
afterAll(async () => {
  await narrow.dispose();
  await wide.dispose();
});

test('the description says which registers are used', () => {
  expect(narrow.description).toContain('128-bit');
  expect(wide.description).toContain('256-bit');
});

test('the environment declines, an option decides', async () => {
  process.env.TRANSFUSION_WIDE = '0';
  try {
    for (const [options, bits] of [[{}, '128-bit'] as const, [{ wide: 'always' }, '256-bit'] as const]) {
      const backend = await openWasm({ threads: 1, ...options });
      expect(backend.description).toContain(bits);
      await backend.dispose();
    }
  } finally {
    delete process.env.TRANSFUSION_WIDE;
  }
});

describe('wide and narrow register tiles, on one and on two threads, give the same bits', () => {
  for (const testCase of conformanceCases) {
    test(testCase.name, async () => {
      const expected = await runOnBackend(narrow, testCase, { times: TIMES });
      const actual = await runOnBackend(wide, testCase, { times: TIMES });
      for (const [name, values] of Object.entries(expected)) {
        const same = Array.prototype.every.call(values, (value, i) => Object.is(value, actual[name][i]));
        expect([name, actual[name].length, same]).toEqual([name, values.length, true]);
      }
    });
  }
});
