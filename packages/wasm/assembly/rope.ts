/** @file Rotary embedding and its inverse. A tile is a block of rows (positions), all heads of each. */
import { copyRow } from './partial';
import { argAddress, argI32 } from './scratch';
import { fma, fnma, storePair } from './simd';

export function rope(args: usize, tile: i32, thread: i32): void {
  const rows = argI32(args, 0);
  const heads = argI32(args, 1);
  const headDim = argI32(args, 2);
  const tableRows = argI32(args, 3);
  const rowsPerTile = argI32(args, 4);
  const interleaved = argI32(args, 5);
  const inverse = argI32(args, 6);
  const positions = argAddress(args, 8);
  const half = headDim >> 1;
  const headBytes = <usize>headDim << 2;
  const rowBytes = <usize>heads * headBytes;
  const first = tile * rowsPerTile;
  const last = min<i32>(rows, first + rowsPerTile);
  for (let r = first; r < last; r++) {
    const x = argAddress(args, 7) + <usize>r * rowBytes;
    const output = argAddress(args, 11) + <usize>r * rowBytes;
    const position = load<i32>(positions + (<usize>r << 2));
    if (<u32>position >= <u32>tableRows) {
      copyRow(x, output, rowBytes);
      continue;
    }
    const offset = (<usize>position * <usize>half) << 2;
    const cos = argAddress(args, 9) + offset;
    const sin = argAddress(args, 10) + offset;
    for (let at: usize = 0; at < rowBytes; at += headBytes) {
      if (interleaved) rotatePairs(x + at, cos, sin, output + at, half, inverse);
      else rotateHalves(x + at, cos, sin, output + at, half, inverse);
    }
  }
}

/** Pairs (i, i + half). */
@inline
function rotateHalves(x: usize, cos: usize, sin: usize, output: usize, half: i32, inverse: i32): void {
  const far = <usize>half << 2;
  const sign = i32x4.splat(inverse ? <i32>0x80000000 : 0);
  let i = 0;
  for (; i + 8 <= half; i += 8) {
    const at = <usize>i << 2;
    const c0 = v128.load(cos + at), c1 = v128.load(cos + at, 16);
    const s0 = v128.xor(v128.load(sin + at), sign), s1 = v128.xor(v128.load(sin + at, 16), sign);
    const a0 = v128.load(x + at), a1 = v128.load(x + at, 16);
    const b0 = v128.load(x + far + at), b1 = v128.load(x + far + at, 16);
    storePair(output + at, fnma(b0, s0, f32x4.mul(a0, c0)), fnma(b1, s1, f32x4.mul(a1, c1)));
    storePair(output + far + at, fma(b0, c0, f32x4.mul(a0, s0)), fma(b1, c1, f32x4.mul(a1, s1)));
  }
  if (i + 4 <= half) {
    const at = <usize>i << 2;
    const c = v128.load(cos + at);
    const s = v128.xor(v128.load(sin + at), sign);
    const a = v128.load(x + at);
    const b = v128.load(x + far + at);
    v128.store(output + at, fnma(b, s, f32x4.mul(a, c)));
    v128.store(output + far + at, fma(b, c, f32x4.mul(a, s)));
    i += 4;
  }
  for (; i < half; i++) {
    const at = <usize>i << 2;
    rotateOne(x + at, far, load<f32>(cos + at), load<f32>(sin + at), output + at, inverse);
  }
}

/** Pairs (2i, 2i + 1). */
@inline
function rotatePairs(x: usize, cos: usize, sin: usize, output: usize, half: i32, inverse: i32): void {
  // (-sin, sin) forward, (sin, -sin) back
  const sign = i64x2.splat(inverse ? <i64>0x8000000000000000 : 0x80000000);
  let i = 0;
  for (; i + 2 <= half; i += 2) {
    const at = <usize>i << 2;
    let c = v128.load64_zero(cos + at);
    let s = v128.load64_zero(sin + at);
    c = v128.shuffle<f32>(c, c, 0, 0, 1, 1);
    s = v128.xor(v128.shuffle<f32>(s, s, 0, 0, 1, 1), sign);
    const v = v128.load(x + at + at);
    const swapped = v128.shuffle<f32>(v, v, 1, 0, 3, 2);
    v128.store(output + at + at, fma(swapped, s, f32x4.mul(v, c)));
  }
  for (; i < half; i++) {
    const at = <usize>i << 2;
    rotateOne(x + at + at, 4, load<f32>(cos + at), load<f32>(sin + at), output + at + at, inverse);
  }
}

@inline
function rotateOne(x: usize, far: usize, c: f32, sine: f32, output: usize, inverse: i32): void {
  const s = inverse ? -sine : sine;
  const a = load<f32>(x);
  const b = load<f32>(x + far);
  store<f32>(output, a * c - b * s);
  store<f32>(output + far, a * s + b * c);
}
