/**
 * @file Largest element and sums over one row, in several vectors: quicker and closer than in a single one.
 */
import { constants } from './constants';
import { expOrTiny4, expOrZero4 } from './math';
import { copyRow, loadPartial } from './partial';
import { lastFloats } from './scratch';
import { fma, max4, pairUp, storePair, sum4 } from './simd';

/** The largest of `columns` floats; NaNs are passed over (they reach the sum of the exponentials). */
export function rowMax(x: usize, columns: i32): f32 {
  let a = f32x4.splat(-Infinity), b = a, c = a, d = a;
  let i = 0;
  for (; i + 16 <= columns; i += 16) {
    a = f32x4.pmax(a, v128.load(x));
    b = f32x4.pmax(b, v128.load(x, 16));
    c = f32x4.pmax(c, v128.load(x, 32));
    d = f32x4.pmax(d, v128.load(x, 48));
    x += 64;
  }
  pairUp(a, b);
  pairUp(c, d);
  for (; i + 4 <= columns; i += 4) {
    a = f32x4.pmax(a, v128.load(x));
    x += 16;
  }
  if (i < columns) b = f32x4.pmax(b, loadPartial(x, columns - i, -Infinity));
  return max4(f32x4.pmax(f32x4.pmax(a, b), f32x4.pmax(c, d)));
}

/** The sum of exp(x - max), max being the largest x: at least 1. */
export function rowSumExp(x: usize, columns: i32, max: f32): f32 {
  const whole = columns & ~15;
  const left = columns - whole;
  const sum = sumExpOf16(x, whole, max);
  return left ? sum + sumExpOf16(padded(x + (<usize>whole << 2), left), 16, max) : sum;
}

/** Writes exp(x - max) to y and returns its sum. */
export function rowExp(x: usize, y: usize, columns: i32, max: f32): f32 {
  const whole = columns & ~15;
  const left = columns - whole;
  const sum = expOf16(x, y, whole, max);
  if (left == 0) return sum;
  const at = <usize>whole << 2;
  const last = padded(x + at, left);
  const rest = expOf16(last, last, 16, max);
  copyRow(last, y + at, <usize>left << 2);
  return sum + rest;
}

/** The last `count` floats of a row, and -inf up to sixteen: a loop over whole sixteens alone is compiled better. */
function padded(x: usize, count: i32): usize {
  const last = lastFloats();
  for (let at: usize = 0; at < 64; at += 16) v128.store(last + at, f32x4.splat(-Infinity));
  copyRow(x, last, <usize>count << 2);
  return last;
}

/** Of a multiple of sixteen floats. */
function sumExpOf16(x: usize, columns: i32, max: f32): f32 {
  const k = constants;
  const m = f32x4.splat(max);
  let a = f32x4.splat(0), b = a, c = a, d = a;
  for (const end = x + (<usize>columns << 2); x < end; x += 64) {
    a = f32x4.add(a, expOrTiny4(f32x4.sub(v128.load(x), m), k));
    b = f32x4.add(b, expOrTiny4(f32x4.sub(v128.load(x, 16), m), k));
    c = f32x4.add(c, expOrTiny4(f32x4.sub(v128.load(x, 32), m), k));
    d = f32x4.add(d, expOrTiny4(f32x4.sub(v128.load(x, 48), m), k));
  }
  pairUp(a, b);
  pairUp(c, d);
  return sum4(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
}

/** Of a multiple of sixteen floats. */
function expOf16(x: usize, y: usize, columns: i32, max: f32): f32 {
  const k = constants;
  const m = f32x4.splat(max);
  let a = f32x4.splat(0), b = a, c = a, d = a;
  for (const end = x + (<usize>columns << 2); x < end; x += 64, y += 64) {
    const p0 = expOrZero4(f32x4.sub(v128.load(x), m), k);
    const p1 = expOrZero4(f32x4.sub(v128.load(x, 16), m), k);
    const p2 = expOrZero4(f32x4.sub(v128.load(x, 32), m), k);
    const p3 = expOrZero4(f32x4.sub(v128.load(x, 48), m), k);
    storePair(y, p0, p1);
    storePair(y + 32, p2, p3);
    a = f32x4.add(a, p0);
    b = f32x4.add(b, p1);
    c = f32x4.add(c, p2);
    d = f32x4.add(d, p3);
  }
  pairUp(a, b);
  pairUp(c, d);
  return sum4(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
}

/** The sum of `columns` floats. */
export function rowSum(x: usize, columns: i32): f32 {
  let a = f32x4.splat(0), b = a, c = a, d = a;
  let i = 0;
  for (; i + 16 <= columns; i += 16) {
    a = f32x4.add(a, v128.load(x));
    b = f32x4.add(b, v128.load(x, 16));
    c = f32x4.add(c, v128.load(x, 32));
    d = f32x4.add(d, v128.load(x, 48));
    x += 64;
  }
  pairUp(a, b);
  pairUp(c, d);
  for (; i + 4 <= columns; i += 4) {
    a = f32x4.add(a, v128.load(x));
    x += 16;
  }
  if (i < columns) b = f32x4.add(b, loadPartial(x, columns - i, 0));
  return sum4(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
}

/** The sum of the products x y. */
export function rowDot(x: usize, y: usize, columns: i32): f32 {
  let a = f32x4.splat(0), b = a, c = a, d = a;
  let i = 0;
  for (; i + 16 <= columns; i += 16) {
    a = fma(v128.load(x), v128.load(y), a);
    b = fma(v128.load(x, 16), v128.load(y, 16), b);
    c = fma(v128.load(x, 32), v128.load(y, 32), c);
    d = fma(v128.load(x, 48), v128.load(y, 48), d);
    x += 64;
    y += 64;
  }
  pairUp(a, b);
  pairUp(c, d);
  for (; i + 4 <= columns; i += 4) {
    a = fma(v128.load(x), v128.load(y), a);
    x += 16;
    y += 16;
  }
  if (i < columns) b = fma(loadPartial(x, columns - i, 0), loadPartial(y, columns - i, 0), b);
  return sum4(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
}

/** The sum of the products x y z. */
export function rowDot3(x: usize, y: usize, z: usize, columns: i32): f32 {
  let a = f32x4.splat(0), b = a, c = a, d = a;
  let i = 0;
  for (; i + 16 <= columns; i += 16) {
    a = fma(f32x4.mul(v128.load(x), v128.load(y)), v128.load(z), a);
    b = fma(f32x4.mul(v128.load(x, 16), v128.load(y, 16)), v128.load(z, 16), b);
    c = fma(f32x4.mul(v128.load(x, 32), v128.load(y, 32)), v128.load(z, 32), c);
    d = fma(f32x4.mul(v128.load(x, 48), v128.load(y, 48)), v128.load(z, 48), d);
    x += 64;
    y += 64;
    z += 64;
  }
  pairUp(a, b);
  pairUp(c, d);
  for (; i + 4 <= columns; i += 4) {
    a = fma(f32x4.mul(v128.load(x), v128.load(y)), v128.load(z), a);
    x += 16;
    y += 16;
    z += 16;
  }
  if (i < columns) {
    const left = columns - i;
    b = fma(f32x4.mul(loadPartial(x, left, 0), loadPartial(y, left, 0)), loadPartial(z, left, 0), b);
  }
  return sum4(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
}
