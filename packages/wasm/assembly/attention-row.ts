/** @file Attention of a single query, for decoding a token at a time: eight lanes of queries would be mostly idle. */
import { log4 } from './math';
import { clearRow, loadPartial, storePartial } from './partial';
import { rowDot, rowExp, rowMax } from './row-sums';
import { argAddress, argF32, argI32 } from './scratch';
import { fma } from './simd';

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
  const kvOffset = (<usize>batch * <usize>keys * <usize>kvHeads + <usize>(head / (heads / kvHeads))) * headBytes;
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
  for (let j = 0; j < count; j++) {
    store<f32>(scores + (<usize>j << 2), rowDot(q, k + <usize>j * stride, headDim) * scale);
  }
  const max = rowMax(scores, count);
  const sum = rowExp(scores, scores, count, max);
  store<f32>(lse, max + f32x4.extract_lane(log4(f32x4.splat(sum)), 0));
  weighRows(argAddress(args, 11) + first, stride, count, headDim, scores, 1 / sum, output);
}

/** y[d] = factor sum over j of p[j] x[j][d] */
function weighRows(x: usize, stride: usize, rows: i32, columns: i32, p: usize, factor: f32, y: usize): void {
  const f = f32x4.splat(factor);
  let d = 0;
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
    v128.store(y, f32x4.mul(c0, f));
    v128.store(y, f32x4.mul(c1, f), 16);
    v128.store(y, f32x4.mul(c2, f), 32);
    v128.store(y, f32x4.mul(c3, f), 48);
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
