/**
 * @file Uniform and normal numbers from Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as
 * 1, 2, 3"). A tile is a run of blocks of four numbers; four blocks are computed at a time, one in each lane.
 */
import { constants } from './constants';
import { log4, sineOfQuarter } from './math';
import { storePartial } from './partial';
import { argAddress, argI32 } from './scratch';

@inline const MULTIPLIER_0: i32 = <i32>0xd2511f53;
@inline const MULTIPLIER_1: i32 = <i32>0xcd9e8d57;
@inline const WEYL_0: i32 = <i32>0x9e3779b9;
@inline const WEYL_1: i32 = <i32>0xbb67ae85;
/** 2^-24 */
@inline const STEP: f32 = 5.9604644775390625e-8;

export function random(args: usize, tile: i32, thread: i32): void {
  const elements = argI32(args, 0);
  const blocksPerTile = argI32(args, 1);
  const normal = argI32(args, 2);
  const stream = i32x4.splat(argI32(args, 3));
  const seed = argAddress(args, 4);
  const output = argAddress(args, 5);
  const key0 = load<i32>(seed);
  const key1 = load<i32>(seed, 4);
  const counter2 = v128.load32_splat(seed, 8);
  const counter3 = v128.load32_splat(seed, 12);
  const first = tile * blocksPerTile;
  const last = min<i32>((elements + 3) >> 2, first + blocksPerTile);
  for (let block = first; block < last; block += 4) {
    // Philox: two of the words are multiplied, and the halves of the products mixed with the others and the key.
    let w0 = i32x4.add(i32x4.splat(block), i32x4(0, 1, 2, 3));
    let w1 = stream;
    let w2 = counter2;
    let w3 = counter3;
    let k0 = key0;
    let k1 = key1;
    for (let round = 0; round < 10; round++) {
      const low0 = i64x2.extmul_low_i32x4_u(w0, i32x4.splat(MULTIPLIER_0));
      const high0 = i64x2.extmul_high_i32x4_u(w0, i32x4.splat(MULTIPLIER_0));
      const low1 = i64x2.extmul_low_i32x4_u(w2, i32x4.splat(MULTIPLIER_1));
      const high1 = i64x2.extmul_high_i32x4_u(w2, i32x4.splat(MULTIPLIER_1));
      w0 = v128.xor(v128.xor(v128.shuffle<i32>(low1, high1, 1, 3, 5, 7), w1), i32x4.splat(k0));
      w2 = v128.xor(v128.xor(v128.shuffle<i32>(low0, high0, 1, 3, 5, 7), w3), i32x4.splat(k1));
      w1 = v128.shuffle<i32>(low1, high1, 0, 2, 4, 6);
      w3 = v128.shuffle<i32>(low0, high0, 0, 2, 4, 6);
      k0 += WEYL_0;
      k1 += WEYL_1;
    }
    if (normal) {
      const r0 = radius(w0);
      const r2 = radius(w2);
      const angle1 = w1;
      w0 = f32x4.mul(r0, sineOfTurn(angle1, 1));
      w1 = f32x4.mul(r0, sineOfTurn(angle1, 0));
      const angle3 = w3;
      w2 = f32x4.mul(r2, sineOfTurn(angle3, 1));
      w3 = f32x4.mul(r2, sineOfTurn(angle3, 0));
    } else {
      w0 = uniform(w0);
      w1 = uniform(w1);
      w2 = uniform(w2);
      w3 = uniform(w3);
    }
    // One lane is one block: transpose to have its four numbers side by side.
    const a = v128.shuffle<i32>(w0, w1, 0, 4, 1, 5);
    const b = v128.shuffle<i32>(w2, w3, 0, 4, 1, 5);
    const c = v128.shuffle<i32>(w0, w1, 2, 6, 3, 7);
    const d = v128.shuffle<i32>(w2, w3, 2, 6, 3, 7);
    const at = block << 2;
    put(output, elements, at, v128.shuffle<i32>(a, b, 0, 1, 4, 5));
    put(output, elements, at + 4, v128.shuffle<i32>(a, b, 2, 3, 6, 7));
    put(output, elements, at + 8, v128.shuffle<i32>(c, d, 0, 1, 4, 5));
    put(output, elements, at + 12, v128.shuffle<i32>(c, d, 2, 3, 6, 7));
  }
}

@inline
function uniform(word: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(word, 8)), f32x4.splat(STEP));
}

/** sqrt(-2 ln u), u in (0, 1]. */
@inline
function radius(word: v128): v128 {
  const u = f32x4.mul(f32x4.convert_i32x4_s(i32x4.add(i32x4.shr_u(word, 8), i32x4.splat(1))), f32x4.splat(STEP));
  return f32x4.sqrt(f32x4.mul(log4(u, constants), f32x4.splat(-2)));
}

/** Sine (`quarter` 0) or cosine (1) of 2 pi u, reduced to a quarter turn in integers, hence exactly. */
@inline
function sineOfTurn(word: v128, quarter: i32): v128 {
  const u = i32x4.shr_u(word, 8);
  const turn = i32x4.shr_u(i32x4.add(u, i32x4.splat(1 << 21)), 22);
  const rest = f32x4.convert_i32x4_s(i32x4.sub(u, i32x4.shl(turn, 22)));
  return sineOfQuarter(f32x4.mul(rest, f32x4.splat(3.7450702829239286e-7)), turn, quarter, constants);
}

@inline
function put(output: usize, elements: i32, at: i32, x: v128): void {
  const to = output + (<usize>at << 2);
  if (at + 4 <= elements) v128.store(to, x);
  else if (at < elements) storePartial(to, x, elements - at);
}
