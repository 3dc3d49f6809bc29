/**
 * @file Gradient of group norm by its input: dx = rstd (dy w - mean(dy w) - h mean(dy w h)), h = (x - mean) rstd. Two sums per
 * group, over chunks of positions as in `group-norm`, then one multiply-add per element and sum.
 */
import { addGroups, channelProducts, channelSums, spreadGroups } from './group-norm-sums';
import { loadPartial, storePartial } from './partial';
import { argAddress, argI32, scratch } from './scratch';
import { fnma, storePair } from './simd';

// Arguments of all commands: batch, positions, channels, groups, positions of a chunk, chunks, units per tile, unused, x,
// weight, mean, rstd, dy, dx, sums. Sums are [batch, chunks, (dy w, dy w (x - mean)), groups].

/** Arrays of one float per channel in a thread's scratch. */
@inline
function perChannel(args: usize, thread: i32, n: i32): usize {
  return scratch(thread) + <usize>n * (<usize>(argI32(args, 2) + 3 & ~3) << 2);
}

/** values[channel] *= weight[channel] */
@inline
function weigh(values: usize, weight: usize, channels: i32): void {
  let c = 0;
  for (; c + 4 <= channels; c += 4, values += 16, weight += 16) {
    v128.store(values, f32x4.mul(v128.load(values), v128.load(weight)));
  }
  for (; c < channels; c++, values += 4, weight += 4) store<f32>(values, load<f32>(values) * load<f32>(weight));
}

/** Per group, at `first` sum(dy w) and at `second` sum(dy w (x - mean)). */
function sums(
  args: usize, x: usize, dy: usize, positions: i32, mean: usize, first: usize, second: usize, thread: i32,
): void {
  const channels = argI32(args, 2);
  const groups = argI32(args, 3);
  const width = channels / groups;
  const means = perChannel(args, thread, 0);
  const values = perChannel(args, thread, 1);
  spreadGroups(mean, groups, width, means);
  channelSums(dy, positions, channels, values);
  weigh(values, argAddress(args, 9), channels);
  addGroups(values, groups, width, first);
  channelProducts(dy, x, means, positions, channels, values);
  weigh(values, argAddress(args, 9), channels);
  addGroups(values, groups, width, second);
}

/** The sums of a chunk. A unit is a chunk of a batch element. */
export function groupNormGradSums(args: usize, tile: i32, thread: i32): void {
  const positions = argI32(args, 1);
  const groups = argI32(args, 3);
  const perChunk = argI32(args, 4);
  const chunks = argI32(args, 5);
  const perTile = argI32(args, 6);
  const last = min(argI32(args, 0) * chunks, (tile + 1) * perTile);
  for (let unit = tile * perTile; unit < last; unit++) {
    const batch = unit / chunks;
    const start = (unit - batch * chunks) * perChunk;
    const offset = <usize>(batch * positions + start) * <usize>argI32(args, 2) << 2;
    const target = argAddress(args, 14) + (<usize>(unit * 2 * groups) << 2);
    sums(
      args, argAddress(args, 8) + offset, argAddress(args, 12) + offset, min(perChunk, positions - start),
      argAddress(args, 10) + (<usize>(batch * groups) << 2), target, target + (<usize>groups << 2), thread,
    );
  }
}

/** dx of a chunk, from the sums of all chunks of its batch element. A unit is a chunk of a batch element. */
export function groupNormGradApply(args: usize, tile: i32, thread: i32): void {
  const positions = argI32(args, 1);
  const channels = argI32(args, 2);
  const groups = argI32(args, 3);
  const perChunk = argI32(args, 4);
  const chunks = argI32(args, 5);
  const perTile = argI32(args, 6);
  const groupBytes = <usize>groups << 2;
  const share: f32 = 1 / (<f32>positions * <f32>(channels / groups));
  const joined = perChannel(args, thread, 4);
  const last = min(argI32(args, 0) * chunks, (tile + 1) * perTile);
  for (let unit = tile * perTile; unit < last; unit++) {
    const batch = unit / chunks;
    const start = (unit - batch * chunks) * perChunk;
    const source = argAddress(args, 14) + <usize>(batch * chunks * 2) * groupBytes;
    const rstd = argAddress(args, 11) + <usize>batch * groupBytes;
    const mean = argAddress(args, 10) + <usize>batch * groupBytes;
    for (let group = 0; group < groups; group++) {
      const at = <usize>group << 2;
      let first: f32 = 0;
      let second: f32 = 0;
      for (let chunk = 0, from = source + at; chunk < chunks; chunk++, from += 2 * groupBytes) {
        first += load<f32>(from);
        second += load<f32>(from + groupBytes);
      }
      const r = load<f32>(rstd + at);
      store<f32>(joined + at, r * share * first);
      store<f32>(joined + groupBytes + at, r * r * r * share * second);
    }
    const offset = <usize>(batch * positions + start) * <usize>channels << 2;
    apply(
      args, argAddress(args, 8) + offset, argAddress(args, 12) + offset, argAddress(args, 13) + offset,
      min(perChunk, positions - start), mean, rstd, joined, thread,
    );
  }
}

/** dx = dy (rstd w) - shift - (x - mean) tilt, shift and tilt per group at `joined`. */
function apply(
  args: usize, x: usize, dy: usize, dx: usize, positions: i32, mean: usize, rstd: usize, joined: usize, thread: i32,
): void {
  const channels = argI32(args, 2);
  const groups = argI32(args, 3);
  const width = channels / groups;
  const means = perChannel(args, thread, 0);
  const scales = perChannel(args, thread, 1);
  const shifts = perChannel(args, thread, 2);
  const tilts = perChannel(args, thread, 3);
  spreadGroups(mean, groups, width, means);
  spreadGroups(rstd, groups, width, scales);
  weigh(scales, argAddress(args, 9), channels);
  spreadGroups(joined, groups, width, shifts);
  spreadGroups(joined + (<usize>groups << 2), groups, width, tilts);
  const whole = channels & ~3;
  const left = channels - whole;
  const bytes = <usize>whole << 2;
  const pairs = bytes & ~31;
  for (; positions > 0; positions--) {
    let at: usize = 0;
    for (; at < pairs; at += 32) {
      const g0 = f32x4.sub(f32x4.mul(v128.load(dy + at), v128.load(scales + at)), v128.load(shifts + at));
      const g1 = f32x4.sub(f32x4.mul(v128.load(dy + at, 16), v128.load(scales + at, 16)), v128.load(shifts + at, 16));
      const d0 = f32x4.sub(v128.load(x + at), v128.load(means + at));
      const d1 = f32x4.sub(v128.load(x + at, 16), v128.load(means + at, 16));
      const first = fnma(d0, v128.load(tilts + at), g0);
      storePair(dx + at, first, fnma(d1, v128.load(tilts + at, 16), g1));
    }
    if (at < bytes) {
      const g = f32x4.sub(f32x4.mul(v128.load(dy + at), v128.load(scales + at)), v128.load(shifts + at));
      const difference = f32x4.sub(v128.load(x + at), v128.load(means + at));
      v128.store(dx + at, fnma(difference, v128.load(tilts + at), g));
      at += 16;
    }
    if (left) {
      const g = f32x4.sub(f32x4.mul(loadPartial(dy + at, left, 0), v128.load(scales + at)), v128.load(shifts + at));
      const difference = f32x4.sub(loadPartial(x + at, left, 0), v128.load(means + at));
      storePartial(dx + at, fnma(difference, v128.load(tilts + at), g), left);
    }
    x += <usize>channels << 2;
    dy += <usize>channels << 2;
    dx += <usize>channels << 2;
  }
}

/** All of it for batch elements of one chunk: their sums go through the thread's scratch. A unit is a batch element. */
export function groupNormGrad(args: usize, tile: i32, thread: i32): void {
  const positions = argI32(args, 1);
  const channels = argI32(args, 2);
  const groups = argI32(args, 3);
  const perTile = argI32(args, 6);
  const groupBytes = <usize>groups << 2;
  const share: f32 = 1 / (<f32>positions * <f32>(channels / groups));
  const joined = perChannel(args, thread, 4);
  const last = min(argI32(args, 0), (tile + 1) * perTile);
  for (let batch = tile * perTile; batch < last; batch++) {
    const offset = <usize>(batch * positions) * <usize>channels << 2;
    const x = argAddress(args, 8) + offset;
    const dy = argAddress(args, 12) + offset;
    const mean = argAddress(args, 10) + <usize>batch * groupBytes;
    const rstd = argAddress(args, 11) + <usize>batch * groupBytes;
    sums(args, x, dy, positions, mean, joined, joined + groupBytes, thread);
    for (let group = 0; group < groups; group++) {
      const at = joined + (<usize>group << 2);
      const r = load<f32>(rstd + (<usize>group << 2));
      store<f32>(at, r * share * load<f32>(at));
      store<f32>(at + groupBytes, r * r * r * share * load<f32>(at + groupBytes));
    }
    apply(args, x, dy, argAddress(args, 13) + offset, positions, mean, rstd, joined, thread);
  }
}
