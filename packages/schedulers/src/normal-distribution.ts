/** @file The standard normal distribution's cumulative function, in f64. */

/** Below, the power series cancels and the continued fraction has converged. */
const TAIL = -3;
const FRACTION_LEVELS = 80;

/** The probability of a value below `x`, to some 14 digits, in the lower tail too. */
export function normalCdf(x: number): number {
  if (x > -TAIL) return 1 - normalCdf(-x);
  if (x === Number.NEGATIVE_INFINITY) return 0;
  const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  return x < TAIL ? density / millsDivisor(-x) : 0.5 + density * oddSeries(x);
}

/** `x + x^3 / 3 + x^5 / (3 5) + ...` (Marsaglia, Journal of Statistical Software 11(4), 2004). */
function oddSeries(x: number): number {
  let [sum, before, term] = [x, 0, x];
  for (let odd = 3; sum !== before; odd += 2) {
    term *= (x * x) / odd;
    before = sum;
    sum += term;
  }
  return sum;
}

/** `x + 1 / (x + 2 / (x + 3 / ...))`: the density divided by the tail above x > 0 (Abramowitz and Stegun 26.2.14). */
function millsDivisor(x: number): number {
  let divisor = x;
  for (let level = FRACTION_LEVELS; level >= 1; level--) divisor = x + level / divisor;
  return divisor;
}
