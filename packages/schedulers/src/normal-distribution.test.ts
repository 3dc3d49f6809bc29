import { normalCdf } from './normal-distribution.js';

// 0.5 erfc(-x / sqrt 2) of Python's math module.
test.each([
  [-30, 4.906713927148764e-198],
  [-12.5, 3.73256429887781e-36],
  [-5, 2.866515718791946e-7],
  [-3.001, 0.0013454728250849683],
  [-3, 0.0013498980316300957],
  [-2.5, 0.006209665325776139],
  [-1.2815515655446004, 0.10000000000000003],
  [-0.8, 0.2118553985833967],
  [-1e-9, 0.49999999960105773],
  [0, 0.5],
  [0.3, 0.6179114221889526],
  [0.6744897501960817, 0.75],
  [1.96, 0.9750021048517795],
  [2.999, 0.9986456634662729],
  [3.001, 0.998654527174915],
  [6, 0.9999999990134123],
])('below %d lies %d', (x, expected) => {
  expect(Math.abs(normalCdf(x) / expected - 1)).toBeLessThan(2e-13);
});

test('both ends, and the two halves', () => {
  expect(normalCdf(Number.NEGATIVE_INFINITY)).toBe(0);
  expect(normalCdf(Number.POSITIVE_INFINITY)).toBe(1);
  for (const x of [0.1, 2.9, 3.1, 7]) expect(normalCdf(x) + normalCdf(-x)).toBeCloseTo(1, 15);
});
