import { useKernelRunner } from '../testing/kernel-runner.js';
import { softmaxReference } from '../testing/row-references.js';
import { floats } from '../testing/values.js';

const runner = useKernelRunner();

function softmax(input: Float32Array, rows: number, columns: number, log: boolean) {
  return {
    inputs: { input },
    outputs: { output: rows * columns },
    kernel: (buffers: Record<'input' | 'output', number>) =>
      ({ kind: 'softmax', log, rows, columns, ...buffers }) as const,
  };
}

describe.each([false, true])('softmax, logarithm: %s', (log) => {
  for (const [rows, columns] of [
    [1, 1],
    [3, 3],
    [17, 17],
    [5, 33],
    [300, 65],
    [2, 5000],
    [40, 512],
  ]) {
    test(`[${rows}, ${columns}]`, async () => {
      const input = floats(rows * columns, 1, 8);
      const output = softmaxReference(input, columns, log);
      await runner.check(softmax(input, rows, columns, log), { output }, { absolute: 1e-7, relative: 2e-6 });
    });
  }

  test('large values and -inf', async () => {
    const input = Float32Array.of(1e30, 1e30, -1e30, Number.NEGATIVE_INFINITY, 1e30, -90, -100, 0, 3, -104);
    const output = softmaxReference(input, 5, log);
    await runner.check(softmax(input, 2, 5, log), { output }, { absolute: 1e-37, relative: 2e-6 });
  });
});

test('a NaN fills its row and no other', async () => {
  const { output } = await runner.run(softmax(Float32Array.of(1, Number.NaN, 2, 1, 1, 1), 2, 3, false));
  expect([...output].map(Number.isNaN)).toEqual([true, true, true, false, false, false]);
});
