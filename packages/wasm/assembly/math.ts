/**
 * @file Elementary functions on four f32 lanes, inlined where they are used. `k` is always `constants`, their table, read by
 * the caller before its loop.
 *
 * exp, log, sin, cos and tanh use the polynomials of the Cephes library (S. Moshier, single precision); erf uses
 * N. Juffa's; pow goes through f64. All are within a few ulp, follow IEEE at zeros, infinities and NaN, and give
 * denormal results, unless said otherwise. What is compared and selected depends on the lane alone, so neighbours never
 * change a result.
 */
import {
  BIASED_ROUND, COS_0, COS_1, COS_2, EIGHTY_EIGHT, ERF_0, ERF_1, ERF_10, ERF_11, ERF_12, ERF_2, ERF_3, ERF_4, ERF_5,
  ERF_6, ERF_7, ERF_8, ERF_9, ERF_SMALL, EXP2_1, EXP2_2, EXP2_3, EXP2_4, EXP2_5, EXP_0, EXP_1, EXP_2, EXP_3, EXP_4,
  EXP_5, EXP_INFINITE, EXP_NOTHING, EXP_TINY, HALF_PI_0, HALF_PI_1, HALF_PI_2, HALF_PI_3, INFINITY, LARGE_ANGLE,
  LEAST_NORMAL, LN_2_HIGH, LN_2_LOW, LOG2_E, LOG_0, LOG_1, LOG_2, LOG_3, LOG_4, LOG_5, LOG_6, LOG_7, LOG_8,
  MINUS_HALF, MINUS_INFINITY, NOT_A_NUMBER, ONE, ROUND, SIGN, SIN_0, SIN_1, SIN_2, SQRT_HALF, TANH_0, TANH_1, TANH_2,
  TANH_3, TANH_4, TANH_SMALL, TWENTY_THREE, TWO, TWO_23, TWO_BY_PI,
} from './constants';
import { fma, fnma } from './simd';

/** p x + c, one step of Horner's rule. */
@inline
function horner(p: v128, x: v128, c: v128): v128 {
  return fma(p, x, c);
}

/** e^(x - n ln 2), n the integer next to x / ln 2. */
@inline
function expOfRest(x: v128, n: v128, k: usize): v128 {
  let r = fma(n, v128.load32_splat(k, LN_2_HIGH), x);
  r = fma(n, v128.load32_splat(k, LN_2_LOW), r);
  // In pairs of terms (Estrin): the chain of operations that wait for each other is a third shorter than Horner's.
  const r2 = f32x4.mul(r, r);
  let p = fma(v128.load32_splat(k, EXP_0), r, v128.load32_splat(k, EXP_1));
  p = fma(p, r2, fma(v128.load32_splat(k, EXP_2), r, v128.load32_splat(k, EXP_3)));
  p = fma(p, r2, fma(v128.load32_splat(k, EXP_4), r, v128.load32_splat(k, EXP_5)));
  return f32x4.add(fma(p, r2, r), v128.load32_splat(k, ONE));
}

/** e^x. */
@inline
export function exp4(x: v128, k: usize): v128 {
  // From here on the result is surely infinite; pmin and pmax in this order keep NaN.
  return expUpTo89(f32x4.pmin(x, v128.load32_splat(k, EXP_INFINITE)), k);
}

/** e^x for x <= 89. */
@inline
function expUpTo89(x: v128, k: usize): v128 {
  x = f32x4.pmax(x, v128.load32_splat(k, EXP_NOTHING));
  const t = fma(x, v128.load32_splat(k, LOG2_E), v128.load32_splat(k, ROUND));
  let p = expOfRest(x, f32x4.sub(t, v128.load32_splat(k, ROUND)), k);
  // 2^n in two factors, so that the ends of the range overflow or become denormal by a single rounding. The bits of 1 are
  // those of 2^0, those of ROUND what the integer was added to.
  const integer = i32x4.sub(t, v128.load32_splat(k, ROUND));
  const half = i32x4.shr_s(integer, 1);
  const rest = i32x4.sub(integer, half);
  p = f32x4.mul(p, i32x4.add(i32x4.shl(half, 23), v128.load32_splat(k, ONE)));
  return f32x4.mul(p, i32x4.add(i32x4.shl(rest, 23), v128.load32_splat(k, ONE)));
}

/**
 * e^x for x <= 88, but 2^-126 where it would be less: for sums that are not small, and nothing else. As a power of 2 with a
 * polynomial of degree 5, 1 at 0: three operations fewer than exp4; off by 2e-7 near 0, and by 1.3e-8 |x| more far from it.
 */
@inline
export function expOrTiny4(x: v128, k: usize): v128 {
  x = f32x4.pmax(x, v128.load32_splat(k, EXP_TINY));
  const t = fma(x, v128.load32_splat(k, LOG2_E), v128.load32_splat(k, BIASED_ROUND));
  const f = fma(x, v128.load32_splat(k, LOG2_E), f32x4.sub(v128.load32_splat(k, BIASED_ROUND), t));
  const f2 = f32x4.mul(f, f);
  let p = fma(v128.load32_splat(k, EXP2_5), f, v128.load32_splat(k, EXP2_4));
  p = fma(p, f2, fma(v128.load32_splat(k, EXP2_3), f, v128.load32_splat(k, EXP2_2)));
  p = fma(p, f2, fma(v128.load32_splat(k, EXP2_1), f, v128.load32_splat(k, ONE)));
  return f32x4.mul(p, i32x4.shl(t, 23));
}

/**
 * e^x for x <= 88, but 0 where it would be below 2^-126: arithmetic on denormals takes a hundred cycles, and the masked
 * scores of a softmax would all come to it.
 */
@inline
export function expOrZero4(x: v128, k: usize): v128 {
  const tiny = f32x4.lt(x, v128.load32_splat(k, EXP_TINY));
  x = f32x4.pmax(x, v128.load32_splat(k, EXP_TINY));
  const t = fma(x, v128.load32_splat(k, LOG2_E), v128.load32_splat(k, BIASED_ROUND));
  const p = expOfRest(x, f32x4.sub(t, v128.load32_splat(k, BIASED_ROUND)), k);
  // The shift drops all of ROUND's bits, and leaves the integer with the exponent's bias.
  return v128.andnot(f32x4.mul(p, i32x4.shl(t, 23)), tiny);
}

/** The natural logarithm; -inf at 0, NaN below. */
@inline
export function log4(x: v128, k: usize): v128 {
  const denormal = f32x4.lt(x, v128.load32_splat(k, LEAST_NORMAL));
  let bits = v128.bitselect(f32x4.mul(x, v128.load32_splat(k, TWO_23)), x, denormal);
  // m in [sqrt(1/2), sqrt(2)), x = m 2^e
  const exponent = i32x4.shr_s(i32x4.sub(bits, v128.load32_splat(k, SQRT_HALF)), 23);
  bits = i32x4.sub(bits, i32x4.shl(exponent, 23));
  const e = f32x4.sub(f32x4.convert_i32x4_s(exponent), v128.and(denormal, v128.load32_splat(k, TWENTY_THREE)));
  const m = f32x4.sub(bits, v128.load32_splat(k, ONE));
  const z = f32x4.mul(m, m);
  let p = horner(v128.load32_splat(k, LOG_0), m, v128.load32_splat(k, LOG_1));
  p = horner(p, m, v128.load32_splat(k, LOG_2));
  p = horner(p, m, v128.load32_splat(k, LOG_3));
  p = horner(p, m, v128.load32_splat(k, LOG_4));
  p = horner(p, m, v128.load32_splat(k, LOG_5));
  p = horner(p, m, v128.load32_splat(k, LOG_6));
  p = horner(p, m, v128.load32_splat(k, LOG_7));
  p = horner(p, m, v128.load32_splat(k, LOG_8));
  p = f32x4.mul(p, f32x4.mul(m, z));
  p = fnma(e, v128.load32_splat(k, LN_2_LOW), p);
  p = fma(z, v128.load32_splat(k, MINUS_HALF), p);
  p = fnma(e, v128.load32_splat(k, LN_2_HIGH), f32x4.add(m, p));
  const zero = f32x4.splat(0);
  p = v128.bitselect(v128.load32_splat(k, MINUS_INFINITY), p, f32x4.eq(x, zero));
  p = v128.bitselect(v128.load32_splat(k, NOT_A_NUMBER), p, f32x4.lt(x, zero));
  // +inf and NaN are their own logarithm
  return v128.bitselect(p, x, f32x4.lt(x, v128.load32_splat(k, INFINITY)));
}

/** Sine (`quarter` 0) or cosine (`quarter` 1) of r + (turn + quarter) pi / 2, |r| <= pi / 4, turn an integer (i32). */
@inline
export function sineOfQuarter(r: v128, turn: v128, quarter: i32, k: usize): v128 {
  const z = f32x4.mul(r, r);
  let sine = horner(v128.load32_splat(k, SIN_0), z, v128.load32_splat(k, SIN_1));
  sine = horner(sine, z, v128.load32_splat(k, SIN_2));
  sine = fma(f32x4.mul(sine, z), r, r);
  let cosine = horner(v128.load32_splat(k, COS_0), z, v128.load32_splat(k, COS_1));
  cosine = horner(cosine, z, v128.load32_splat(k, COS_2));
  const half = f32x4.mul(z, v128.load32_splat(k, MINUS_HALF));
  cosine = f32x4.add(fma(cosine, f32x4.mul(z, z), half), v128.load32_splat(k, ONE));
  const j = i32x4.add(turn, i32x4.splat(quarter));
  const odd = i32x4.shr_s(i32x4.shl(j, 31), 31);
  const negative = i32x4.shl(i32x4.shr_u(j, 1), 31);
  return v128.xor(v128.bitselect(cosine, sine, odd), negative);
}

/** Sine or cosine after Cody and Waite's reduction; |x| < 2^17. */
@inline
function reducedSine(x: v128, quarter: i32, k: usize): v128 {
  const t = fma(x, v128.load32_splat(k, TWO_BY_PI), v128.load32_splat(k, ROUND));
  const n = f32x4.sub(t, v128.load32_splat(k, ROUND));
  // pi / 2 in parts of 7 bits: n times each of the first three is exact with and without a fused multiply-add.
  let r = fma(n, v128.load32_splat(k, HALF_PI_0), x);
  r = fma(n, v128.load32_splat(k, HALF_PI_1), r);
  r = fma(n, v128.load32_splat(k, HALF_PI_2), r);
  r = fma(n, v128.load32_splat(k, HALF_PI_3), r);
  return sineOfQuarter(r, i32x4.sub(t, v128.load32_splat(k, ROUND)), quarter, k);
}

function largeSine(x: v128): v128 {
  let y = f32x4.splat(Mathf.sin(f32x4.extract_lane(x, 0)));
  y = f32x4.replace_lane(y, 1, Mathf.sin(f32x4.extract_lane(x, 1)));
  y = f32x4.replace_lane(y, 2, Mathf.sin(f32x4.extract_lane(x, 2)));
  return f32x4.replace_lane(y, 3, Mathf.sin(f32x4.extract_lane(x, 3)));
}

function largeCosine(x: v128): v128 {
  let y = f32x4.splat(Mathf.cos(f32x4.extract_lane(x, 0)));
  y = f32x4.replace_lane(y, 1, Mathf.cos(f32x4.extract_lane(x, 1)));
  y = f32x4.replace_lane(y, 2, Mathf.cos(f32x4.extract_lane(x, 2)));
  return f32x4.replace_lane(y, 3, Mathf.cos(f32x4.extract_lane(x, 3)));
}

/** sin x, x in radians. */
@inline
export function sin4(x: v128, k: usize): v128 {
  const small = reducedSine(x, 0, k);
  let y = v128.bitselect(x, small, f32x4.eq(x, f32x4.splat(0)));
  const large = f32x4.ge(f32x4.abs(x), v128.load32_splat(k, LARGE_ANGLE));
  if (v128.any_true(large)) y = v128.bitselect(largeSine(x), y, large);
  return y;
}

/** cos x, x in radians. */
@inline
export function cos4(x: v128, k: usize): v128 {
  let y = reducedSine(x, 1, k);
  const large = f32x4.ge(f32x4.abs(x), v128.load32_splat(k, LARGE_ANGLE));
  if (v128.any_true(large)) y = v128.bitselect(largeCosine(x), y, large);
  return y;
}

/** The hyperbolic tangent. */
@inline
export function tanh4(x: v128, k: usize): v128 {
  const t = f32x4.abs(x);
  const z = f32x4.mul(x, x);
  let small = horner(v128.load32_splat(k, TANH_0), z, v128.load32_splat(k, TANH_1));
  small = horner(small, z, v128.load32_splat(k, TANH_2));
  small = horner(small, z, v128.load32_splat(k, TANH_3));
  small = horner(small, z, v128.load32_splat(k, TANH_4));
  small = fma(f32x4.mul(small, z), t, t);
  // Far beyond where the result is 1, and still finite.
  const e = expOrZero4(f32x4.pmin(f32x4.add(t, t), v128.load32_splat(k, EIGHTY_EIGHT)), k);
  const one = v128.load32_splat(k, ONE);
  const large = f32x4.sub(one, f32x4.div(v128.load32_splat(k, TWO), f32x4.add(e, one)));
  const y = v128.bitselect(small, large, f32x4.lt(t, v128.load32_splat(k, TANH_SMALL)));
  return v128.or(y, v128.and(x, v128.load32_splat(k, SIGN)));
}

/** The error function. */
@inline
export function erf4(x: v128, k: usize): v128 {
  const t = f32x4.abs(x);
  const s = f32x4.mul(x, x);
  let small = horner(v128.load32_splat(k, ERF_0), s, v128.load32_splat(k, ERF_1));
  small = horner(small, s, v128.load32_splat(k, ERF_2));
  small = horner(small, s, v128.load32_splat(k, ERF_3));
  small = horner(small, s, v128.load32_splat(k, ERF_4));
  small = horner(small, s, v128.load32_splat(k, ERF_5));
  small = fma(small, t, t);
  let p = horner(v128.load32_splat(k, ERF_6), t, v128.load32_splat(k, ERF_7));
  const q = horner(v128.load32_splat(k, ERF_8), t, v128.load32_splat(k, ERF_9));
  p = fma(p, s, q);
  p = horner(p, t, v128.load32_splat(k, ERF_10));
  p = horner(p, t, v128.load32_splat(k, ERF_11));
  p = horner(p, t, v128.load32_splat(k, ERF_12));
  p = f32x4.neg(fma(f32x4.neg(p), t, t));
  const large = f32x4.sub(v128.load32_splat(k, ONE), expOrZero4(p, k));
  const y = v128.bitselect(small, large, f32x4.lt(t, v128.load32_splat(k, ERF_SMALL)));
  return v128.or(y, v128.and(x, v128.load32_splat(k, SIGN)));
}

/** 1 / (1 + e^-x), accurate in both tails. */
@inline
export function sigmoid4(x: v128, k: usize): v128 {
  // -|x|
  const e = expUpTo89(v128.or(x, v128.load32_splat(k, SIGN)), k);
  const one = v128.load32_splat(k, ONE);
  const numerator = v128.bitselect(e, one, f32x4.lt(x, f32x4.splat(0)));
  return f32x4.div(numerator, f32x4.add(e, one));
}

/** a^b of two f64 lanes, a >= 0, precise to 1e-11; exponents past those of f32 stop at 2^+-200. */
function powerOfPositive(a: v128, b: v128): v128 {
  // a = m 2^e, m in [sqrt(1/2), sqrt(2))
  const exponent = i64x2.shr_s(i64x2.sub(a, i64x2.splat(0x3fe6a09e667f3bcd)), 52);
  const m = i64x2.sub(a, i64x2.shl(exponent, 52));
  // i64 -> f64 through the bits of 1.5 * 2^52
  const e = f64x2.sub(i64x2.add(exponent, i64x2.splat(0x4338000000000000)), f64x2.splat(6755399441055744));
  const s = f64x2.div(f64x2.sub(m, f64x2.splat(1)), f64x2.add(m, f64x2.splat(1)));
  const z = f64x2.mul(s, s);
  let p = f64x2.splat(1 / 15.0);
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(1 / 13.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(1 / 11.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(1 / 9.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(1 / 7.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(1 / 5.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(1 / 3.0));
  p = f64x2.add(f64x2.mul(p, z), f64x2.splat(1));
  let log2 = f64x2.add(e, f64x2.mul(f64x2.mul(p, s), f64x2.splat(2.8853900817779268)));
  log2 = v128.bitselect(f64x2.splat(-Infinity), log2, f64x2.eq(a, f64x2.splat(0)));
  log2 = v128.bitselect(log2, a, f64x2.lt(a, f64x2.splat(Infinity)));
  let y = f64x2.mul(log2, b);
  y = f64x2.pmax(f64x2.pmin(y, f64x2.splat(200)), f64x2.splat(-200));
  const t = f64x2.add(y, f64x2.splat(6755399441055744));
  const f = f64x2.mul(f64x2.sub(y, f64x2.sub(t, f64x2.splat(6755399441055744))), f64x2.splat(0.6931471805599453));
  let q = f64x2.splat(1 / 362880.0);
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(1 / 40320.0));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(1 / 5040.0));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(1 / 720.0));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(1 / 120.0));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(1 / 24.0));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(1 / 6.0));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(0.5));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(1));
  q = f64x2.add(f64x2.mul(q, f), f64x2.splat(1));
  // The low bits of t are the integer; shifted up, they become the exponent.
  const scale = i64x2.shl(i64x2.add(t, i64x2.splat(1023)), 52);
  return f64x2.mul(q, scale);
}

function power(a: v128, b: v128): v128 {
  const magnitude = f32x4.abs(a);
  const low = powerOfPositive(f64x2.promote_low_f32x4(magnitude), f64x2.promote_low_f32x4(b));
  const highA = i8x16.shuffle(magnitude, magnitude, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
  const highB = i8x16.shuffle(b, b, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
  const high = powerOfPositive(f64x2.promote_low_f32x4(highA), f64x2.promote_low_f32x4(highB));
  let y = i64x2.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
  const integer = f32x4.eq(f32x4.floor(b), b);
  const half = f32x4.mul(b, f32x4.splat(0.5));
  const odd = v128.and(integer, f32x4.ne(f32x4.floor(half), half));
  y = v128.xor(y, v128.and(v128.and(a, i32x4.splat(<i32>0x80000000)), odd));
  const negative = v128.and(f32x4.lt(a, f32x4.splat(0)), f32x4.gt(a, f32x4.splat(-Infinity)));
  y = v128.bitselect(f32x4.splat(NaN), y, v128.andnot(negative, integer));
  return v128.bitselect(f32x4.splat(1), y, f32x4.eq(b, f32x4.splat(0)));
}

/** a^b as JavaScript's Math.pow: NaN for a negative base and an exponent that is no integer. */
@inline
export function pow4(a: v128, b: v128): v128 {
  return power(a, b);
}
