import { useKernelRunner } from '../testing/kernel-runner.js';
import { rmsNormReference } from '../testing/row-references.js';
import { floats } from '../testing/values.js';

const runner = useKernelRunner();

function rmsNorm(x: Float32Array, weight: Float32Array, epsilon: number) {
  const rows = x.length / weight.length;
  return {
    inputs: { x, weight },
    outputs: { output: x.length, rstd: rows },
    kernel: (buffers: Record<'x' | 'weight' | 'output' | 'rstd', number>) =>
      ({ kind: 'rmsNorm', rows, columns: weight.length, epsilon, ...buffers }) as const,
  };
}

describe('rmsNorm', () => {
  for (const [rows, columns] of [
    [1, 1],
    [3, 3],
    [17, 17],
    [5, 33],
    [2000, 65],
    [33, 256],
  ]) {
    test(`[${rows}, ${columns}]`, async () => {
      const x = floats(rows * columns, 1, 3);
      const weight = floats(columns, 2);
      const expected = rmsNormReference(x, weight, 1e-5);
      await runner.check(rmsNorm(x, weight, 1e-5), expected, { absolute: 1e-7, relative: 1e-6 });
    });
  }

  test('known values', async () => {
    const { output } = await runner.run(rmsNorm(Float32Array.of(1, -2, 3, -4), Float32Array.of(1, 1, 1, 1), 1e-5));
    [0.3651481282, -0.7302962565, 1.0954443847, -1.460592513].forEach((value, i) => {
      expect(output[i]).toBeCloseTo(value, 6);
    });
  });

  test('a row of zeros stays zero', async () => {
    const { output, rstd } = await runner.run(rmsNorm(new Float32Array(6), floats(3, 1), 1e-6));
    expect(output.every((value) => value === 0)).toBe(true);
    expect(rstd[0]).toBeCloseTo(1000, 2);
  });
});
