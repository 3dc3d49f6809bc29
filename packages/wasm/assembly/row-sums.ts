/** @file Largest element and sums over one row, in several vectors: quicker and closer than in a single one. */
import { expOrZero4 } from './math';
import { loadPartial, storePartial } from './partial';
import { fma, max4, sum4 } from './simd';

/** The largest of `columns` floats; NaNs are passed over (they reach the sum of the exponentials). */
export function rowMax(x: usize, columns: i32): f32 {
  let a = f32x4.splat(-Infinity);
  let b = a;
  let c = a;
  let d = a;
  let i = 0;
  for (; i + 16 <= columns; i += 16) {
    a = f32x4.pmax(a, v128.load(x));
    b = f32x4.pmax(b, v128.load(x, 16));
    c = f32x4.pmax(c, v128.load(x, 32));
    d = f32x4.pmax(d, v128.load(x, 48));
    x += 64;
  }
  for (; i + 4 <= columns; i += 4) {
    a = f32x4.pmax(a, v128.load(x));
    x += 16;
  }
  if (i < columns) b = f32x4.pmax(b, loadPartial(x, columns - i, -Infinity));
  return max4(f32x4.pmax(f32x4.pmax(a, b), f32x4.pmax(c, d)));
}

/** The sum of exp(x - max). */
export function rowSumExp(x: usize, columns: i32, max: f32): f32 {
  const m = f32x4.splat(max);
  let a = f32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  let i = 0;
  for (; i + 16 <= columns; i += 16) {
    a = f32x4.add(a, expOrZero4(f32x4.sub(v128.load(x), m)));
    b = f32x4.add(b, expOrZero4(f32x4.sub(v128.load(x, 16), m)));
    c = f32x4.add(c, expOrZero4(f32x4.sub(v128.load(x, 32), m)));
    d = f32x4.add(d, expOrZero4(f32x4.sub(v128.load(x, 48), m)));
    x += 64;
  }
  for (; i + 4 <= columns; i += 4) {
    a = f32x4.add(a, expOrZero4(f32x4.sub(v128.load(x), m)));
    x += 16;
  }
  if (i < columns) b = f32x4.add(b, expOrZero4(f32x4.sub(loadPartial(x, columns - i, -Infinity), m)));
  return sum4(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
}

/** Writes exp(x - max) to y and returns its sum. */
export function rowExp(x: usize, y: usize, columns: i32, max: f32): f32 {
  const m = f32x4.splat(max);
  let a = f32x4.splat(0);
  let b = a;
  let i = 0;
  for (; i + 8 <= columns; i += 8) {
    const p = expOrZero4(f32x4.sub(v128.load(x), m));
    const q = expOrZero4(f32x4.sub(v128.load(x, 16), m));
    v128.store(y, p);
    v128.store(y, q, 16);
    a = f32x4.add(a, p);
    b = f32x4.add(b, q);
    x += 32;
    y += 32;
  }
  if (i + 4 <= columns) {
    const p = expOrZero4(f32x4.sub(v128.load(x), m));
    v128.store(y, p);
    a = f32x4.add(a, p);
    x += 16;
    y += 16;
    i += 4;
  }
  if (i < columns) {
    const p = expOrZero4(f32x4.sub(loadPartial(x, columns - i, -Infinity), m));
    storePartial(y, p, columns - i);
    b = f32x4.add(b, p);
  }
  return sum4(f32x4.add(a, b));
}

/** The sum of `columns` floats. */
export function rowSum(x: usize, columns: i32): f32 {
  let a = f32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  let i = 0;
  for (; i + 16 <= columns; i += 16) {
    a = f32x4.add(a, v128.load(x));
    b = f32x4.add(b, v128.load(x, 16));
    c = f32x4.add(c, v128.load(x, 32));
    d = f32x4.add(d, v128.load(x, 48));
    x += 64;
  }
  for (; i + 4 <= columns; i += 4) {
    a = f32x4.add(a, v128.load(x));
    x += 16;
  }
  if (i < columns) b = f32x4.add(b, loadPartial(x, columns - i, 0));
  return sum4(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
}

/** The sum of the products x y. */
export function rowDot(x: usize, y: usize, columns: i32): f32 {
  let a = f32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  let i = 0;
  for (; i + 16 <= columns; i += 16) {
    a = fma(v128.load(x), v128.load(y), a);
    b = fma(v128.load(x, 16), v128.load(y, 16), b);
    c = fma(v128.load(x, 32), v128.load(y, 32), c);
    d = fma(v128.load(x, 48), v128.load(y, 48), d);
    x += 64;
    y += 64;
  }
  for (; i + 4 <= columns; i += 4) {
    a = fma(v128.load(x), v128.load(y), a);
    x += 16;
    y += 16;
  }
  if (i < columns) b = fma(loadPartial(x, columns - i, 0), loadPartial(y, columns - i, 0), b);
  return sum4(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
}
