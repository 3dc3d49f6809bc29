/**
 * @file Elementary functions on four f32 lanes, inlined where they are used.
 *
 * exp, log, sin, cos and tanh use the polynomials of the Cephes library (S. Moshier, single precision); erf uses
 * N. Juffa's; pow goes through f64. All are within a few ulp, follow IEEE at zeros, infinities and NaN, and give
 * denormal results. What is compared and selected depends on the lane alone, so neighbours never change a result.
 */
import { fma } from './simd';

// 1.5 * 2^23: adding it rounds to an integer, which is then the difference of the bits.
@inline const ROUND: f32 = 12582912;
@inline const ROUND_BITS: i32 = 0x4b400000;
@inline const SIGN: i32 = <i32>0x80000000;
/** Beyond this, sin and cos reduce their argument by the standard library's exact method, lane by lane. */
@inline const LARGE_ANGLE: f32 = 131072;

/** p x + c, one step of Horner's rule. */
@inline
function horner(p: v128, x: v128, c: f32): v128 {
  return fma(p, x, f32x4.splat(c));
}

/** e^(x - n ln 2), n the integer next to x / ln 2. */
@inline
function expOfRest(x: v128, n: v128): v128 {
  let r = fma(n, f32x4.splat(-0.693359375), x);
  r = fma(n, f32x4.splat(2.12194440e-4), r);
  let p = horner(f32x4.splat(1.9875691500e-4), r, 1.3981999507e-3);
  p = horner(p, r, 8.3334519073e-3);
  p = horner(p, r, 4.1665795894e-2);
  p = horner(p, r, 1.6666665459e-1);
  p = horner(p, r, 5.0000001201e-1);
  return f32x4.add(fma(p, f32x4.mul(r, r), r), f32x4.splat(1));
}

/** e^x. */
@inline
export function exp4(x: v128): v128 {
  // The bounds are where the result is surely infinite or zero; pmin and pmax in this order keep NaN.
  x = f32x4.pmax(f32x4.pmin(x, f32x4.splat(89)), f32x4.splat(-104));
  const t = fma(x, f32x4.splat(1.44269504088896341), f32x4.splat(ROUND));
  const n = f32x4.sub(t, f32x4.splat(ROUND));
  let p = expOfRest(x, n);
  // 2^n in two factors, so that the ends of the range overflow or become denormal by a single rounding.
  const integer = i32x4.sub(t, i32x4.splat(ROUND_BITS));
  const half = i32x4.shr_s(integer, 1);
  const rest = i32x4.sub(integer, half);
  p = f32x4.mul(p, i32x4.shl(i32x4.add(half, i32x4.splat(127)), 23));
  return f32x4.mul(p, i32x4.shl(i32x4.add(rest, i32x4.splat(127)), 23));
}

/**
 * e^x for x <= 88, but 0 where it would be below 2^-126: arithmetic on denormals takes a hundred cycles, and the masked
 * scores of a softmax would all come to it.
 */
@inline
export function expOrZero4(x: v128): v128 {
  const tiny = f32x4.lt(x, f32x4.splat(-87.33));
  x = f32x4.pmax(x, f32x4.splat(-87.33));
  const t = fma(x, f32x4.splat(1.44269504088896341), f32x4.splat(ROUND));
  const p = expOfRest(x, f32x4.sub(t, f32x4.splat(ROUND)));
  // The shift drops all of ROUND's bits, and leaves the integer and the exponent's bias.
  return v128.andnot(f32x4.mul(p, i32x4.shl(i32x4.add(t, i32x4.splat(127)), 23)), tiny);
}

/** The natural logarithm; -inf at 0, NaN below. */
@inline
export function log4(x: v128): v128 {
  const denormal = f32x4.lt(x, f32x4.splat(1.17549435e-38));
  let bits = v128.bitselect(f32x4.mul(x, f32x4.splat(8388608)), x, denormal);
  // m in [sqrt(1/2), sqrt(2)), x = m 2^e
  const exponent = i32x4.shr_s(i32x4.sub(bits, i32x4.splat(0x3f3504f3)), 23);
  bits = i32x4.sub(bits, i32x4.shl(exponent, 23));
  const e = f32x4.convert_i32x4_s(i32x4.sub(exponent, v128.and(denormal, i32x4.splat(23))));
  const m = f32x4.sub(bits, f32x4.splat(1));
  const z = f32x4.mul(m, m);
  let p = horner(f32x4.splat(7.0376836292e-2), m, -1.1514610310e-1);
  p = horner(p, m, 1.1676998740e-1);
  p = horner(p, m, -1.2420140846e-1);
  p = horner(p, m, 1.4249322787e-1);
  p = horner(p, m, -1.6668057665e-1);
  p = horner(p, m, 2.0000714765e-1);
  p = horner(p, m, -2.4999993993e-1);
  p = horner(p, m, 3.3333331174e-1);
  p = f32x4.mul(p, f32x4.mul(m, z));
  p = fma(e, f32x4.splat(-2.12194440e-4), p);
  p = fma(z, f32x4.splat(-0.5), p);
  p = fma(e, f32x4.splat(0.693359375), f32x4.add(m, p));
  p = v128.bitselect(f32x4.splat(-Infinity), p, f32x4.eq(x, f32x4.splat(0)));
  p = v128.bitselect(f32x4.splat(NaN), p, f32x4.lt(x, f32x4.splat(0)));
  // +inf and NaN are their own logarithm
  return v128.bitselect(p, x, f32x4.lt(x, f32x4.splat(Infinity)));
}

/** Sine (`quarter` 0) or cosine (`quarter` 1) of r + (turn + quarter) pi / 2, |r| <= pi / 4, turn an integer (i32). */
@inline
export function sineOfQuarter(r: v128, turn: v128, quarter: i32): v128 {
  const z = f32x4.mul(r, r);
  let sine = horner(f32x4.splat(-1.9515295891e-4), z, 8.3321608736e-3);
  sine = horner(sine, z, -1.6666654611e-1);
  sine = fma(f32x4.mul(sine, z), r, r);
  let cosine = horner(f32x4.splat(2.443315711809948e-5), z, -1.388731625493765e-3);
  cosine = horner(cosine, z, 4.166664568298827e-2);
  cosine = f32x4.add(fma(cosine, f32x4.mul(z, z), f32x4.mul(z, f32x4.splat(-0.5))), f32x4.splat(1));
  const j = i32x4.add(turn, i32x4.splat(quarter));
  const odd = i32x4.shr_s(i32x4.shl(j, 31), 31);
  const negative = i32x4.shl(i32x4.shr_u(j, 1), 31);
  return v128.xor(v128.bitselect(cosine, sine, odd), negative);
}

/** Sine or cosine after Cody and Waite's reduction; |x| < 2^17. */
@inline
function reducedSine(x: v128, quarter: i32): v128 {
  const t = fma(x, f32x4.splat(0.636619772367581343), f32x4.splat(ROUND));
  const n = f32x4.sub(t, f32x4.splat(ROUND));
  // pi / 2 in parts of 7 bits: n times each of the first three is exact with and without a fused multiply-add.
  let r = fma(n, f32x4.splat(-1.5625), x);
  r = fma(n, f32x4.splat(-0.0081787109375), r);
  r = fma(n, f32x4.splat(-0.00011730194091796875), r);
  r = fma(n, f32x4.splat(-3.13916478589249e-7), r);
  return sineOfQuarter(r, i32x4.sub(t, i32x4.splat(ROUND_BITS)), quarter);
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
export function sin4(x: v128): v128 {
  const small = reducedSine(x, 0);
  let y = v128.bitselect(x, small, f32x4.eq(x, f32x4.splat(0)));
  const large = f32x4.ge(f32x4.abs(x), f32x4.splat(LARGE_ANGLE));
  if (v128.any_true(large)) y = v128.bitselect(largeSine(x), y, large);
  return y;
}

/** cos x, x in radians. */
@inline
export function cos4(x: v128): v128 {
  let y = reducedSine(x, 1);
  const large = f32x4.ge(f32x4.abs(x), f32x4.splat(LARGE_ANGLE));
  if (v128.any_true(large)) y = v128.bitselect(largeCosine(x), y, large);
  return y;
}

/** The hyperbolic tangent. */
@inline
export function tanh4(x: v128): v128 {
  const t = f32x4.abs(x);
  const z = f32x4.mul(x, x);
  let small = horner(f32x4.splat(-5.70498872745e-3), z, 2.06390887954e-2);
  small = horner(small, z, -5.37397155531e-2);
  small = horner(small, z, 1.33314422036e-1);
  small = horner(small, z, -3.33332819422e-1);
  small = fma(f32x4.mul(small, z), t, t);
  const e = exp4(f32x4.add(t, t));
  const large = f32x4.sub(f32x4.splat(1), f32x4.div(f32x4.splat(2), f32x4.add(e, f32x4.splat(1))));
  const y = v128.bitselect(small, large, f32x4.lt(t, f32x4.splat(0.625)));
  return v128.or(y, v128.and(x, i32x4.splat(SIGN)));
}

/** The error function. */
@inline
export function erf4(x: v128): v128 {
  const t = f32x4.abs(x);
  const s = f32x4.mul(x, x);
  let small = horner(f32x4.splat(-5.96761703e-4), s, 4.99119423e-3);
  small = horner(small, s, -2.67681349e-2);
  small = horner(small, s, 1.12819925e-1);
  small = horner(small, s, -3.76125336e-1);
  small = horner(small, s, 1.28379166e-1);
  small = fma(small, t, t);
  let p = horner(f32x4.splat(-1.7285347e-5), t, 3.83197126e-4);
  const q = horner(f32x4.splat(-3.88396438e-3), t, 2.42546219e-2);
  p = fma(p, s, q);
  p = horner(p, t, -1.06777877e-1);
  p = horner(p, t, -6.34846687e-1);
  p = horner(p, t, -1.28717512e-1);
  p = f32x4.neg(fma(f32x4.neg(p), t, t));
  const large = f32x4.sub(f32x4.splat(1), exp4(p));
  const y = v128.bitselect(small, large, f32x4.lt(t, f32x4.splat(0.927734375)));
  return v128.or(y, v128.and(x, i32x4.splat(SIGN)));
}

/** 1 / (1 + e^-x), accurate in both tails. */
@inline
export function sigmoid4(x: v128): v128 {
  const e = exp4(f32x4.neg(f32x4.abs(x)));
  const numerator = v128.bitselect(e, f32x4.splat(1), f32x4.lt(x, f32x4.splat(0)));
  return f32x4.div(numerator, f32x4.add(e, f32x4.splat(1)));
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
  y = v128.xor(y, v128.and(v128.and(a, i32x4.splat(SIGN)), odd));
  const negative = v128.and(f32x4.lt(a, f32x4.splat(0)), f32x4.gt(a, f32x4.splat(-Infinity)));
  y = v128.bitselect(f32x4.splat(NaN), y, v128.andnot(negative, integer));
  return v128.bitselect(f32x4.splat(1), y, f32x4.eq(b, f32x4.splat(0)));
}

/** a^b as JavaScript's Math.pow: NaN for a negative base and an exponent that is no integer. */
@inline
export function pow4(a: v128, b: v128): v128 {
  return power(a, b);
}
