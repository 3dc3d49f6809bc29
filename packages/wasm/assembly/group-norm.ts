/**
 * @file Group norm. Positions of a batch element are cut into chunks that stay in cache: of each chunk the mean and the sum
 * of squared deviations are found in two passes, and those of the chunks are joined (Chan et al. 1983), which does not
 * cancel whatever the mean. A batch element of one chunk is normalised at once: layer norms, small images.
 */
import { storePartial, loadPartial } from './partial';
import { addGroups, channelDeviations, channelSums, spreadGroups } from './group-norm-sums';
import { argAddress, argF32, argI32, scratch } from './scratch';
import { fma, storePair } from './simd';

// Arguments of all commands: batch, positions, channels, groups, positions of a chunk, chunks, units per tile, epsilon,
// x, weight, bias, output, mean, rstd, moments. Moments are [batch, chunks, (means, sums of squares), groups].

/** Arrays of one float per channel in a thread's scratch. */
@inline
function perChannel(args: usize, thread: i32, n: i32): usize {
  return scratch(thread) + <usize>n * (<usize>(argI32(args, 2) + 3 & ~3) << 2);
}

/** The moments of `positions` positions, per group, at `mean` and `squares`; the means per channel in array 0. */
function moments(args: usize, x: usize, positions: i32, mean: usize, squares: usize, thread: i32): void {
  const channels = argI32(args, 2);
  const groups = argI32(args, 3);
  const width = channels / groups;
  const first = perChannel(args, thread, 0);
  const second = perChannel(args, thread, 1);
  const third = perChannel(args, thread, 2);
  channelSums(x, positions, channels, second);
  addGroups(second, groups, width, mean);
  const share: f32 = 1 / (<f32>positions * <f32>width);
  for (let group = 0; group < groups; group++) {
    const at = mean + (<usize>group << 2);
    store<f32>(at, load<f32>(at) * share);
  }
  spreadGroups(mean, groups, width, first);
  channelDeviations(x, first, positions, channels, second, third);
  addGroups(third, groups, width, squares);
  addGroups(second, groups, width, third);
  // What the rounded mean is off by is known exactly enough to put both right.
  for (let group = 0; group < groups; group++) {
    const at = <usize>group << 2;
    const deviation = load<f32>(third + at) * share;
    store<f32>(mean + at, load<f32>(mean + at) + deviation);
    store<f32>(squares + at, load<f32>(squares + at) - load<f32>(third + at) * deviation);
  }
}

/** The moments of a chunk. A unit is a chunk of a batch element. */
export function groupNormMoments(args: usize, tile: i32, thread: i32): void {
  const positions = argI32(args, 1);
  const perChunk = argI32(args, 4);
  const chunks = argI32(args, 5);
  const perTile = argI32(args, 6);
  const groupBytes = <usize>argI32(args, 3) << 2;
  const last = min(argI32(args, 0) * chunks, (tile + 1) * perTile);
  for (let unit = tile * perTile; unit < last; unit++) {
    const batch = unit / chunks;
    const start = (unit - batch * chunks) * perChunk;
    const x = argAddress(args, 8) + (<usize>(batch * positions + start) * <usize>argI32(args, 2) << 2);
    const target = argAddress(args, 14) + <usize>unit * 2 * groupBytes;
    moments(args, x, min(perChunk, positions - start), target, target + groupBytes, thread);
  }
}

/** Joins the chunks' moments. A tile does everything: there is little of it. */
export function groupNormJoin(args: usize, _tile: i32, _thread: i32): void {
  const positions = argI32(args, 1);
  const groups = argI32(args, 3);
  const perChunk = argI32(args, 4);
  const chunks = argI32(args, 5);
  const width = argI32(args, 2) / groups;
  const groupBytes = <usize>groups << 2;
  for (let batch = 0; batch < argI32(args, 0); batch++) {
    const source = argAddress(args, 14) + <usize>(batch * chunks) * 2 * groupBytes;
    for (let group = 0; group < groups; group++) {
      let at = source + (<usize>group << 2);
      let count: f32 = 0;
      let mean: f32 = 0;
      let squares: f32 = 0;
      for (let chunk = 0; chunk < chunks; chunk++, at += 2 * groupBytes) {
        const added = <f32>(min(perChunk, positions - chunk * perChunk) * width);
        const total = count + added;
        const difference = load<f32>(at) - mean;
        mean += difference * (added / total);
        squares += load<f32>(at + groupBytes) + difference * difference * (count * (added / total));
        count = total;
      }
      const number = <usize>(batch * groups + group) << 2;
      store<f32>(argAddress(args, 12) + number, mean);
      store<f32>(argAddress(args, 13) + number, 1 / Mathf.sqrt(squares / count + argF32(args, 7)));
    }
  }
}

/** Normalises `positions` positions with the statistics at `mean` and `rstd`; arrays 0 and 1 take them per channel. */
function normalise(args: usize, x: usize, output: usize, positions: i32, mean: usize, rstd: usize, thread: i32): void {
  const channels = argI32(args, 2);
  const groups = argI32(args, 3);
  const shift = perChannel(args, thread, 0);
  const scale = perChannel(args, thread, 1);
  const weight = argAddress(args, 9);
  const bias = argAddress(args, 10);
  spreadGroups(mean, groups, channels / groups, shift);
  spreadGroups(rstd, groups, channels / groups, scale);
  const whole = channels & ~3;
  const left = channels - whole;
  const bytes = <usize>whole << 2;
  const pairs = bytes & ~31;
  let at: usize = 0;
  for (; at < bytes; at += 16) v128.store(scale + at, f32x4.mul(v128.load(scale + at), v128.load(weight + at)));
  if (left) storePartial(scale + at, f32x4.mul(v128.load(scale + at), loadPartial(weight + at, left, 0)), left);
  for (; positions > 0; positions--) {
    for (at = 0; at < pairs; at += 32) {
      const d0 = f32x4.sub(v128.load(x + at), v128.load(shift + at));
      const d1 = f32x4.sub(v128.load(x + at, 16), v128.load(shift + at, 16));
      const first = fma(d0, v128.load(scale + at), v128.load(bias + at));
      storePair(output + at, first, fma(d1, v128.load(scale + at, 16), v128.load(bias + at, 16)));
    }
    if (at < bytes) {
      const difference = f32x4.sub(v128.load(x + at), v128.load(shift + at));
      v128.store(output + at, fma(difference, v128.load(scale + at), v128.load(bias + at)));
      at += 16;
    }
    if (left) {
      const difference = f32x4.sub(loadPartial(x + at, left, 0), v128.load(shift + at));
      storePartial(output + at, fma(difference, v128.load(scale + at), loadPartial(bias + at, left, 0)), left);
    }
    x += <usize>channels << 2;
    output += <usize>channels << 2;
  }
}

/** Normalises a chunk, whose statistics are known. A unit is a chunk of a batch element. */
export function groupNormApply(args: usize, tile: i32, thread: i32): void {
  const positions = argI32(args, 1);
  const perChunk = argI32(args, 4);
  const chunks = argI32(args, 5);
  const perTile = argI32(args, 6);
  const last = min(argI32(args, 0) * chunks, (tile + 1) * perTile);
  for (let unit = tile * perTile; unit < last; unit++) {
    const batch = unit / chunks;
    const start = (unit - batch * chunks) * perChunk;
    const offset = <usize>(batch * positions + start) * <usize>argI32(args, 2) << 2;
    const statistics = <usize>(batch * argI32(args, 3)) << 2;
    normalise(
      args, argAddress(args, 8) + offset, argAddress(args, 11) + offset, min(perChunk, positions - start),
      argAddress(args, 12) + statistics, argAddress(args, 13) + statistics, thread,
    );
  }
}

/** All of it for batch elements of one chunk. A unit is a batch element. */
export function groupNorm(args: usize, tile: i32, thread: i32): void {
  const positions = argI32(args, 1);
  const channels = argI32(args, 2);
  const groups = argI32(args, 3);
  const perTile = argI32(args, 6);
  const epsilon = argF32(args, 7);
  const count = <f32>(positions * (channels / groups));
  const last = min(argI32(args, 0), (tile + 1) * perTile);
  for (let batch = tile * perTile; batch < last; batch++) {
    const offset = <usize>(batch * positions) * <usize>channels << 2;
    const mean = argAddress(args, 12) + (<usize>(batch * groups) << 2);
    const rstd = argAddress(args, 13) + (<usize>(batch * groups) << 2);
    moments(args, argAddress(args, 8) + offset, positions, mean, rstd, thread);
    for (let group = 0; group < groups; group++) {
      const at = rstd + (<usize>group << 2);
      store<f32>(at, 1 / Mathf.sqrt(load<f32>(at) / count + epsilon));
    }
    normalise(args, argAddress(args, 8) + offset, argAddress(args, 11) + offset, positions, mean, rstd, thread);
  }
}
