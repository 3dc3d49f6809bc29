import { constant, PhiloxStream, rope, ropeTable } from '../index.js';
import { valuesOf } from '../testing/inputs.js';

/** One head at one position. */
function rotate(x: readonly number[], position: number, interleaved: boolean): number[] {
  const table = ropeTable({ positions: 64, headDim: x.length });
  const row = constant(Float32Array.from(x), [1, 1, x.length]);
  return valuesOf([rope(row, constant(Int32Array.of(position), [1]), table, { interleaved })])[0];
}

/** f64 arithmetic on a table of f32 cosines. */
function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expected.forEach((value, i) => expect(Math.abs(actual[i] - value)).toBeLessThan(1e-6));
}

describe('rope', () => {
  const x = [1, 2, 3, 4, 5, 6, 7, 8];

  // Published formula (Su et al. 2021, equation 34), theta 10,000, evaluated in f64 elsewhere.
  test('interleaved pairs, position 1', () => {
    expectClose(
      rotate(x, 1, true),
      [-1.1426396637, 1.9220755965, 2.5856788292, 4.2795169111, 4.9397510021, 6.0496991692, 6.9919965013, 8.0069959988],
    );
  });

  test('interleaved pairs, position 5', () => {
    expectClose(
      rotate(x, 5, true),
      [2.2015107348, -0.3915999037, 0.7150455313, 4.9486068634, 4.6938762864, 6.2423974087, 6.9599126668, 8.0348998544],
    );
  });

  test('halves, position 1', () => {
    expectClose(
      rotate(x, 1, false),
      [-3.6670526182, 1.3910078307, 2.9298511679, 3.9919980013, 3.5429825141, 6.169691825, 7.0296495029, 8.0039959993],
    );
  });

  test('position 0, and positions outside the table, change nothing', () => {
    for (const position of [0, -1, 64]) expect(rotate(x, position, true)).toEqual(x);
  });

  test('the product of two rotated vectors depends on the distance of their positions only', () => {
    const stream = new PhiloxStream(3);
    const [q, k] = [0, 1].map(() => Array.from({ length: 16 }, () => stream.normal()));
    for (const interleaved of [true, false]) {
      const dot = (m: number, n: number) => {
        const rotated = rotate(k, n, interleaved);
        return rotate(q, m, interleaved).reduce((sum, value, i) => sum + value * rotated[i], 0);
      };
      for (const [m, n] of [
        [0, 0],
        [3, 1],
        [1, 9],
      ]) {
        expect(Math.abs(dot(m, n) - dot(m + 31, n + 31))).toBeLessThan(3e-5);
      }
      expect(Math.abs(dot(3, 1) - dot(4, 1))).toBeGreaterThan(1e-3);
    }
  });
});
