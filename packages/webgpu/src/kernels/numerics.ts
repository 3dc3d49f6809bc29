/**
 * @file f32 functions in WGSL with errors of a few units in the last place and IEEE results for NaN and infinities.
 *
 * WGSL's own promise less: sin and cos have an absolute error up to 2^-11 and only on [-pi, pi], log one of 2^-21 around
 * 1, exp one of 3 + 2|x| units, pow is undefined for negative bases, and any of them may assume that NaN and infinities
 * do not occur. Polynomials are those of Cephes (expf, logf, sinf, cosf, tanhf); erf is Juffa's two-branch minimax fit.
 */
import { NON_FINITE_WGSL } from '../lowering.js';

/**
 * Compilers may regroup float arithmetic (Mesa's does, Metal's may), which undoes a reduction of arguments in two steps:
 * x - n high - n low becomes x - n (high + low). Integer arithmetic they leave alone; the lowest bit is zero where the
 * step before cancelled digits, and does not matter elsewhere.
 */
const UNREGROUPED_WGSL = `
fn unregrouped(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) & 0xfffffffeu); }
`;

interface WgslFunction {
  needs: readonly WgslFunctionName[];
  code: string;
}

const FUNCTIONS = {
  precise_exp: {
    needs: [],
    code: `
fn power_of_two(n: i32) -> f32 { return bitcast<f32>(u32(n + 127) << 23u); }
fn precise_exp(x: f32) -> f32 {
  let clamped = clamp(x, -104.0f, 89.0f);
  let n = floor(fma(clamped, 1.44269504f, 0.5f));
  let r = fma(n, 2.12194440e-4f, unregrouped(fma(n, -0.693359375f, clamped)));
  var p = fma(1.9875691500e-4f, r, 1.3981999507e-3f);
  p = fma(p, r, 8.3334519073e-3f);
  p = fma(p, r, 4.1665795894e-2f);
  p = fma(p, r, 1.6666665459e-1f);
  p = fma(p, r, 5.0000001201e-1f);
  p = fma(p, r * r, r) + 1.0f;
  let half = i32(n) / 2;
  var result = p * power_of_two(half) * power_of_two(i32(n) - half);
  result = select(result, infinity(), x > 88.7228394f);
  return select(result, x, is_nan(x));
}`,
  },
  precise_log: {
    needs: [],
    code: `
struct LogParts { exponent: f32, mantissa_log: f32 }
// x = 2^exponent * m with sqrt(1/2) <= m < sqrt(2), mantissa_log = ln m.
fn log_parts(x: f32) -> LogParts {
  let tiny = x < 1.17549435e-38f;
  let bits = bitcast<u32>(select(x, x * 8388608.0f, tiny));
  var exponent = f32(i32(bits >> 23u) - 126) - select(0.0f, 23.0f, tiny);
  var m = bitcast<f32>((bits & 0x007fffffu) | 0x3f000000u);
  if (m < 0.707106781f) {
    exponent -= 1.0f;
    m += m;
  }
  m -= 1.0f;
  let z = m * m;
  var p = fma(7.0376836292e-2f, m, -1.1514610310e-1f);
  p = fma(p, m, 1.1676998740e-1f);
  p = fma(p, m, -1.2420140846e-1f);
  p = fma(p, m, 1.4249322787e-1f);
  p = fma(p, m, -1.6668057665e-1f);
  p = fma(p, m, 2.0000714765e-1f);
  p = fma(p, m, -2.4999993993e-1f);
  p = fma(p, m, 3.3333331174e-1f);
  return LogParts(exponent, m + fma(-0.5f, z, p * m * z));
}
fn precise_log(x: f32) -> f32 {
  let parts = log_parts(x);
  var result = fma(parts.exponent, 0.693359375f, fma(parts.exponent, -2.12194440e-4f, parts.mantissa_log));
  result = select(result, x, is_infinite(x));
  result = select(result, -infinity(), x == 0.0f);
  result = select(result, not_a_number(), x < 0.0f);
  return select(result, x, is_nan(x));
}`,
  },
  precise_sin: {
    needs: [],
    code: `
// sin(x + quarter_turns pi / 2); full accuracy to |x| = 10,000, an absolute error below 1e-5 to 100,000.
fn sin_shifted(x: f32, quarter_turns: i32) -> f32 {
  let n = round(x * 0.636619772f);
  var r = unregrouped(fma(n, -1.5703125f, x));
  r = unregrouped(fma(n, -4.837512969970703125e-4f, r));
  r = fma(n, -7.54978995489188216e-8f, r);
  r = clamp(r, -0.8f, 0.8f);
  let s = r * r;
  let sine = fma(fma(fma(-1.9515295891e-4f, s, 8.3321608736e-3f), s, -1.6666654611e-1f), s * r, r);
  let cosine = fma(fma(fma(2.443315711809948e-5f, s, -1.388731625493765e-3f), s, 4.166664568298827e-2f), s * s,
    fma(-0.5f, s, 1.0f));
  let quadrant = (i32(clamp(n, -1e9f, 1e9f)) + quarter_turns) & 3;
  let magnitude = select(sine, cosine, (quadrant & 1) == 1);
  let result = select(magnitude, -magnitude, quadrant >= 2);
  return select(result, not_a_number(), is_nan(x) || is_infinite(x));
}
// Keeps the sign of -0, which the reduction loses.
fn precise_sin(x: f32) -> f32 { return select(sin_shifted(x, 0), x, x == 0.0f); }
fn precise_cos(x: f32) -> f32 { return sin_shifted(x, 1); }`,
  },
  precise_tanh: {
    needs: ['precise_exp'],
    code: `
fn precise_tanh(x: f32) -> f32 {
  let a = abs(x);
  if (a < 0.625f) {
    let s = x * x;
    var p = fma(-5.70498872745e-3f, s, 2.06390887954e-2f);
    p = fma(p, s, -5.37397155531e-2f);
    p = fma(p, s, 1.33314422036e-1f);
    p = fma(p, s, -3.33332819422e-1f);
    return select(fma(p * s, x, x), x, x == 0.0f);
  }
  let large = 1.0f - 2.0f / (precise_exp(2.0f * min(a, 10.0f)) + 1.0f);
  return select(select(large, -large, x < 0.0f), x, is_nan(x));
}`,
  },
  precise_erf: {
    needs: ['precise_exp'],
    code: `
fn precise_erf(x: f32) -> f32 {
  let a = abs(x);
  let s = x * x;
  if (a < 0.927734375f) {
    var p = fma(-5.96761703e-4f, s, 4.99119423e-3f);
    p = fma(p, s, -2.67681349e-2f);
    p = fma(p, s, 1.12819925e-1f);
    p = fma(p, s, -3.76125336e-1f);
    p = fma(p, s, 1.28379166e-1f);
    return fma(p, x, x);
  }
  let t = min(a, 4.0f);
  let t2 = t * t;
  var p = fma(fma(-1.72853470e-5f, t, 3.83197126e-4f), t2, fma(-3.88396438e-3f, t, 2.42546219e-2f));
  p = fma(p, t, -1.06777877e-1f);
  p = fma(p, t, -6.34846687e-1f);
  p = fma(p, t, -1.28717512e-1f);
  let large = 1.0f - precise_exp(fma(p, t, -t));
  return select(select(large, -large, x < 0.0f), x, is_nan(x));
}`,
  },
  precise_sigmoid: {
    needs: ['precise_exp'],
    code: `
// exp of a non-positive number only, so that neither tail overflows.
fn precise_sigmoid(x: f32) -> f32 {
  let e = precise_exp(-abs(x));
  return select(1.0f, e, x < 0.0f) / (1.0f + e);
}`,
  },
  precise_pow: {
    needs: ['precise_exp', 'precise_log'],
    code: `
// Math.pow: y log2|x| in two parts, so that the result keeps its digits when it is large.
fn precise_pow(x: f32, y: f32) -> f32 {
  let parts = log_parts(abs(x));
  let whole = unregrouped(y * parts.exponent);
  let whole_error = fma(y, parts.exponent, -whole);
  let rest = y * (parts.mantissa_log * 1.44269504f);
  let n = round(clamp(whole + rest, -300.0f, 300.0f));
  let fraction = (whole - n) + (rest + whole_error);
  let bounded = clamp(i32(n), -252, 254);
  let half = bounded / 2;
  var result = precise_exp(clamp(fraction, -100.0f, 100.0f) * 0.693147181f)
    * power_of_two(half) * power_of_two(bounded - half);
  let ax = abs(x);
  let small_base = ax < 1.0f;
  let infinite_power = is_infinite(y);
  if (ax == 0.0f || is_infinite(x) || infinite_power) {
    let grows = (y > 0.0f) != (ax == 0.0f || (infinite_power && small_base));
    result = select(0.0f, infinity(), grows);
    if (infinite_power && ax == 1.0f) { return not_a_number(); }
  }
  let integer = infinite_power || floor(y) == y;
  let odd = integer && abs(y) < 16777216.0f && (i32(clamp(y, -16777216.0f, 16777216.0f)) & 1) == 1;
  let negative = (bitcast<u32>(x) >> 31u) == 1u;
  result = select(result, -result, negative && odd);
  result = select(result, not_a_number(), x < 0.0f && !integer && !is_infinite(x));
  result = select(result, x + y, is_nan(x) || is_nan(y));
  return select(result, 1.0f, y == 0.0f);
}`,
  },
  max_or_nan: {
    needs: [],
    code: `
fn max_or_nan(a: f32, b: f32) -> f32 { return select(max(a, b), a + b, is_nan(a) || is_nan(b)); }`,
  },
  min_or_nan: {
    needs: [],
    code: `
fn min_or_nan(a: f32, b: f32) -> f32 { return select(min(a, b), a + b, is_nan(a) || is_nan(b)); }`,
  },
  truncate_to_int: {
    needs: [],
    code: `
// Saturates; NaN is 0. 2147483520 is the largest f32 below 2^31.
fn truncate_to_int(x: f32) -> i32 {
  let inside = i32(clamp(x, -2147483648.0f, 2147483520.0f));
  return select(select(inside, 2147483647, x >= 2147483648.0f), 0, is_nan(x));
}`,
  },
} as const satisfies Record<string, { needs: readonly string[]; code: string }>;

export type WgslFunctionName =
  | 'precise_exp'
  | 'precise_log'
  | 'precise_sin'
  | 'precise_tanh'
  | 'precise_erf'
  | 'precise_sigmoid'
  | 'precise_pow'
  | 'max_or_nan'
  | 'min_or_nan'
  | 'truncate_to_int';

/** WGSL of the named functions and of what they need, each once, in an order that depends on the set only. */
export function numericsWgsl(names: Iterable<WgslFunctionName>): string {
  const table: Record<WgslFunctionName, WgslFunction> = FUNCTIONS;
  const wanted = new Set<WgslFunctionName>();
  const add = (name: WgslFunctionName) => {
    for (const needed of table[name].needs) add(needed);
    wanted.add(name);
  };
  for (const name of names) add(name);
  const order = Object.keys(table) as WgslFunctionName[];
  return (
    NON_FINITE_WGSL +
    UNREGROUPED_WGSL +
    order
      .filter((name) => wanted.has(name))
      .map((name) => table[name].code)
      .join('\n')
  );
}
