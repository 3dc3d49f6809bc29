/**
 * @file Sums of a group norm over some positions of one batch element. Channels are adjacent, so sums run per channel
 * through all positions first, and are then added up within each group: order and vectors depend on the shape only.
 */
import { loadPartial, storePartial } from './partial';
import { rowSum } from './row-sums';
import { fma, storePair } from './simd';

/** target[channel] = sum over positions of x. */
export function channelSums(x: usize, positions: i32, channels: i32, target: usize): void {
  const step = <usize>channels << 2;
  let c = 0;
  for (; c + 16 <= channels; c += 16, x += 64, target += 64) {
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    for (let p = positions, at = x; p > 0; p--, at += step) {
      s0 = f32x4.add(s0, v128.load(at));
      s1 = f32x4.add(s1, v128.load(at, 16));
      s2 = f32x4.add(s2, v128.load(at, 32));
      s3 = f32x4.add(s3, v128.load(at, 48));
    }
    storePair(target, s0, s1);
    storePair(target + 32, s2, s3);
  }
  for (; c + 4 <= channels; c += 4, x += 16, target += 16) {
    let sum = f32x4.splat(0);
    for (let p = positions, at = x; p > 0; p--, at += step) sum = f32x4.add(sum, v128.load(at));
    v128.store(target, sum);
  }
  if (c < channels) {
    const left = channels - c;
    let sum = f32x4.splat(0);
    for (let p = positions, at = x; p > 0; p--, at += step) sum = f32x4.add(sum, loadPartial(at, left, 0));
    storePartial(target, sum, left);
  }
}

/** Sums over positions of x - mean[channel] at `deviations`, and of its square at `squares`. */
export function channelDeviations(
  x: usize, mean: usize, positions: i32, channels: i32, deviations: usize, squares: usize,
): void {
  const step = <usize>channels << 2;
  let c = 0;
  for (; c + 8 <= channels; c += 8, x += 32, mean += 32, deviations += 32, squares += 32) {
    const m0 = v128.load(mean);
    const m1 = v128.load(mean, 16);
    let d0 = f32x4.splat(0);
    let d1 = d0;
    let s0 = d0;
    let s1 = d0;
    for (let p = positions, at = x; p > 0; p--, at += step) {
      const y0 = f32x4.sub(v128.load(at), m0);
      const y1 = f32x4.sub(v128.load(at, 16), m1);
      d0 = f32x4.add(d0, y0);
      d1 = f32x4.add(d1, y1);
      s0 = fma(y0, y0, s0);
      s1 = fma(y1, y1, s1);
    }
    storePair(deviations, d0, d1);
    storePair(squares, s0, s1);
  }
  for (; c < channels; c += 4, x += 16, mean += 16, deviations += 16, squares += 16) {
    const left = channels - c;
    const m = v128.load(mean);
    let d = f32x4.splat(0);
    let s = d;
    for (let p = positions, at = x; p > 0; p--, at += step) {
      const y = f32x4.sub(left >= 4 ? v128.load(at) : loadPartial(at, left, 0), m);
      d = f32x4.add(d, y);
      s = fma(y, y, s);
    }
    v128.store(deviations, d);
    v128.store(squares, s);
  }
}

/** target[channel] = sum over positions of dy (x - mean[channel]). */
export function channelProducts(
  dy: usize, x: usize, mean: usize, positions: i32, channels: i32, target: usize,
): void {
  const step = <usize>channels << 2;
  let c = 0;
  for (; c + 8 <= channels; c += 8, dy += 32, x += 32, mean += 32, target += 32) {
    const m0 = v128.load(mean);
    const m1 = v128.load(mean, 16);
    let s0 = f32x4.splat(0);
    let s1 = s0;
    for (let p = positions, g = dy, at = x; p > 0; p--, g += step, at += step) {
      s0 = fma(v128.load(g), f32x4.sub(v128.load(at), m0), s0);
      s1 = fma(v128.load(g, 16), f32x4.sub(v128.load(at, 16), m1), s1);
    }
    storePair(target, s0, s1);
  }
  for (; c + 4 <= channels; c += 4, dy += 16, x += 16, mean += 16, target += 16) {
    const m = v128.load(mean);
    let sum = f32x4.splat(0);
    for (let p = positions, g = dy, at = x; p > 0; p--, g += step, at += step) {
      sum = fma(v128.load(g), f32x4.sub(v128.load(at), m), sum);
    }
    v128.store(target, sum);
  }
  if (c < channels) {
    const left = channels - c;
    const m = loadPartial(mean, left, 0);
    let sum = f32x4.splat(0);
    for (let p = positions, g = dy, at = x; p > 0; p--, g += step, at += step) {
      sum = fma(loadPartial(g, left, 0), f32x4.sub(loadPartial(at, left, 0), m), sum);
    }
    storePartial(target, sum, left);
  }
}

/** target[group] = the sum of the group's channels. */
export function addGroups(sums: usize, groups: i32, width: i32, target: usize): void {
  const step = <usize>width << 2;
  for (let group = 0; group < groups; group++, sums += step, target += 4) store<f32>(target, rowSum(sums, width));
}

/** target[channel] = values[its group] */
export function spreadGroups(values: usize, groups: i32, width: i32, target: usize): void {
  for (let group = 0; group < groups; group++, values += 4) {
    const value = v128.load32_splat(values);
    let i = 0;
    for (; i + 4 <= width; i += 4, target += 16) v128.store(target, value);
    for (; i < width; i++, target += 4) store<f32>(target, load<f32>(values));
  }
}
