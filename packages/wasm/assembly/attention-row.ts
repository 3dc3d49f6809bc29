/** @file Attention of a single query, for decoding a token at a time: eight lanes of queries would be mostly idle. */
import { constants } from './constants';
import { log4 } from './math';
import { clearRow, loadPartial, storePartial } from './partial';
import { rowDot, rowExp, rowMax } from './row-sums';
import { argAddress, argF32, argI32 } from './scratch';
import { fma, storePair } from './simd';

/** The sums of the lanes of four vectors, as one vector. */
@inline
function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f64>(ab, cd, 0, 2), v128.shuffle<f64>(ab, cd, 1, 3));
}

/** Query `index` of [batch, queries, heads]. `scores`: room for as many floats as there are keys. */
export function attentionRow(args: usize, index: i32, scores: usize): void {
  const queries = argI32(args, 2);
  const keys = argI32(args, 3);
  const heads = argI32(args, 4);
  const kvHeads = argI32(args, 5);
  const headDim = argI32(args, 6);
  const scale = argF32(args, 7);
  const row = index / heads;
  const head = index % heads;
  const batch = row / queries;
  const headBytes = <usize>headDim << 2;
  const stride = <usize>kvHeads * headBytes;
  const kvOffset = (<usize>batch * <usize>argI32(args, 16) * <usize>kvHeads + <usize>(head / (heads / kvHeads))) * headBytes;
  const q = argAddress(args, 9) + <usize>index * headBytes;
  const begin = max<i32>(0, load<i32>(argAddress(args, 12) + (<usize>row << 2)));
  const end = min<i32>(keys, load<i32>(argAddress(args, 13) + (<usize>row << 2)));
  const output = argAddress(args, 14) + <usize>index * headBytes;
  const lse = argAddress(args, 15) + (<usize>index << 2);
  if (begin >= end) {
    clearRow(output, headBytes);
    store<f32>(lse, 0);
    return;
  }
  const count = end - begin;
  const first = kvOffset + <usize>begin * stride;
  const k = argAddress(args, 10) + first;
  scoreRows(q, k, stride, count, headDim, scale, scores);
  const max = rowMax(scores, count);
  const sum = rowExp(scores, scores, count, max);
  store<f32>(lse, max + f32x4.extract_lane(log4(f32x4.splat(sum), constants), 0));
  weighRows(argAddress(args, 11) + first, stride, count, headDim, scores, 1 / sum, output);
}

/** scores[j] = scale q . k[j], four keys at a time. */
function scoreRows(q: usize, k: usize, stride: usize, rows: i32, columns: i32, scale: f32, scores: usize): void {
  const factor = f32x4.splat(scale);
  let j = 0;
  for (; j + 4 <= rows; j += 4, k += 4 * stride, scores += 16) {
    let k0 = k;
    let k1 = k0 + stride;
    let k2 = k1 + stride;
    let k3 = k2 + stride;
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    let x = q;
    for (const end = q + (<usize>(columns & ~3) << 2); x < end; x += 16, k0 += 16, k1 += 16, k2 += 16, k3 += 16) {
      const a = v128.load(x);
      s0 = fma(a, v128.load(k0), s0);
      s1 = fma(a, v128.load(k1), s1);
      s2 = fma(a, v128.load(k2), s2);
      s3 = fma(a, v128.load(k3), s3);
    }
    let total = sums(s0, s1, s2, s3);
    for (let d = columns & 3; d > 0; d--, x += 4, k0 += 4, k1 += 4, k2 += 4, k3 += 4) {
      const b = f32x4(load<f32>(k0), load<f32>(k1), load<f32>(k2), load<f32>(k3));
      total = fma(v128.load32_splat(x), b, total);
    }
    v128.store(scores, f32x4.mul(total, factor));
  }
  for (; j < rows; j++, k += stride, scores += 4) store<f32>(scores, rowDot(q, k, columns) * scale);
}

/** y[d] = factor sum over j of p[j] x[j][d] */
function weighRows(x: usize, stride: usize, rows: i32, columns: i32, p: usize, factor: f32, y: usize): void {
  const f = f32x4.splat(factor);
  let d = 0;
  // Half a row of 64 at a time: twice over memory, not four times.
  for (; d + 32 <= columns; d += 32) {
    let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
    let from = x;
    let weight = p;
    for (let j = rows; j > 0; j--) {
      const a = v128.load32_splat(weight);
      c0 = fma(a, v128.load(from), c0);
      c1 = fma(a, v128.load(from, 16), c1);
      c2 = fma(a, v128.load(from, 32), c2);
      c3 = fma(a, v128.load(from, 48), c3);
      c4 = fma(a, v128.load(from, 64), c4);
      c5 = fma(a, v128.load(from, 80), c5);
      c6 = fma(a, v128.load(from, 96), c6);
      c7 = fma(a, v128.load(from, 112), c7);
      from += stride;
      weight += 4;
    }
    storePair(y, f32x4.mul(c0, f), f32x4.mul(c1, f));
    storePair(y + 32, f32x4.mul(c2, f), f32x4.mul(c3, f));
    storePair(y + 64, f32x4.mul(c4, f), f32x4.mul(c5, f));
    storePair(y + 96, f32x4.mul(c6, f), f32x4.mul(c7, f));
    x += 128;
    y += 128;
  }
  for (; d + 16 <= columns; d += 16) {
    let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0;
    let from = x;
    let weight = p;
    for (let j = rows; j > 0; j--) {
      const a = v128.load32_splat(weight);
      c0 = fma(a, v128.load(from), c0);
      c1 = fma(a, v128.load(from, 16), c1);
      c2 = fma(a, v128.load(from, 32), c2);
      c3 = fma(a, v128.load(from, 48), c3);
      from += stride;
      weight += 4;
    }
    storePair(y, f32x4.mul(c0, f), f32x4.mul(c1, f));
    storePair(y + 32, f32x4.mul(c2, f), f32x4.mul(c3, f));
    x += 64;
    y += 64;
  }
  for (; d < columns; d += 4) {
    const count = columns - d;
    let c = f32x4.splat(0);
    for (let j = 0; j < rows; j++) {
      const from = x + <usize>j * stride;
      const b = count >= 4 ? v128.load(from) : loadPartial(from, count, 0);
      c = fma(v128.load32_splat(p + (<usize>j << 2)), b, c);
    }
    if (count >= 4) v128.store(y, f32x4.mul(c, f));
    else storePartial(y, f32x4.mul(c, f), count);
    x += 16;
    y += 16;
  }
}
