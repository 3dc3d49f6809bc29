/** @file AdamW with decoupled weight decay, in place. A tile is a block of elements. */
import { loadPartial, storeUpTo4 } from './partial';
import { argAddress, argF32, argI32 } from './scratch';
import { fma, fnma, storePair } from './simd';

export function adamw(args: usize, tile: i32, thread: i32): void {
  const elements = argI32(args, 0);
  const elementsPerTile = argI32(args, 1);
  const hyper = argAddress(args, 2);
  const scale = load<f32>(argAddress(args, 3));
  if (scale == 0) return;
  const gradientScale = f32x4.splat(scale);
  const beta1 = f32x4.splat(argF32(args, 4));
  const rest1 = f32x4.splat(argF32(args, 5));
  const beta2 = f32x4.splat(argF32(args, 6));
  const rest2 = f32x4.splat(argF32(args, 7));
  const epsilon = f32x4.splat(argF32(args, 8));
  const rate = load<f32>(hyper);
  const decay = f32x4.splat(rate * argF32(args, 9));
  const step = f32x4.splat(rate / load<f32>(hyper, 4));
  const unbias2 = f32x4.splat(1 / load<f32>(hyper, 8));
  const first = tile * elementsPerTile;
  const count = min<i32>(elements - first, elementsPerTile);
  const offset = <usize>first << 2;
  let p = argAddress(args, 10) + offset;
  let gradient = argAddress(args, 11) + offset;
  let m = argAddress(args, 12) + offset;
  let v = argAddress(args, 13) + offset;
  let i = 0;
  for (; i + 8 <= count; i += 8) {
    const g0 = f32x4.mul(v128.load(gradient), gradientScale);
    const g1 = f32x4.mul(v128.load(gradient, 16), gradientScale);
    const m0 = fma(v128.load(m), beta1, f32x4.mul(rest1, g0));
    const m1 = fma(v128.load(m, 16), beta1, f32x4.mul(rest1, g1));
    const v0 = fma(v128.load(v), beta2, f32x4.mul(rest2, f32x4.mul(g0, g0)));
    const v1 = fma(v128.load(v, 16), beta2, f32x4.mul(rest2, f32x4.mul(g1, g1)));
    const p0 = update(v128.load(p), m0, v0, decay, step, unbias2, epsilon);
    const p1 = update(v128.load(p, 16), m1, v1, decay, step, unbias2, epsilon);
    storePair(m, m0, m1);
    storePair(v, v0, v1);
    storePair(p, p0, p1);
    p += 32;
    gradient += 32;
    m += 32;
    v += 32;
  }
  for (; i < count; i += 4) {
    const left = count - i;
    const whole = left >= 4;
    const g = f32x4.mul(whole ? v128.load(gradient) : loadPartial(gradient, left, 0), gradientScale);
    const m1 = fma(whole ? v128.load(m) : loadPartial(m, left, 0), beta1, f32x4.mul(rest1, g));
    const v1 = fma(whole ? v128.load(v) : loadPartial(v, left, 0), beta2, f32x4.mul(rest2, f32x4.mul(g, g)));
    const p1 = update(whole ? v128.load(p) : loadPartial(p, left, 0), m1, v1, decay, step, unbias2, epsilon);
    storeUpTo4(m, m1, left);
    storeUpTo4(v, v1, left);
    storeUpTo4(p, p1, left);
    p += 16;
    gradient += 16;
    m += 16;
    v += 16;
  }
}

/** p - decay p - step m / (sqrt(v unbias2) + epsilon) */
@inline
function update(p: v128, m: v128, v: v128, decay: v128, step: v128, unbias2: v128, epsilon: v128): v128 {
  const denominator = f32x4.add(f32x4.sqrt(f32x4.mul(v, unbias2)), epsilon);
  const kept = fnma(decay, p, p);
  return f32x4.sub(kept, f32x4.div(f32x4.mul(step, m), denominator));
}
