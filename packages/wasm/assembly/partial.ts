/** @file The last one to three columns of a row, as a vector; and copying and clearing rows. */
import { storePair } from './simd';

/** `count` (1 to 3) floats at `address`, and `fill` in the remaining lanes. */
@inline
export function loadPartial(address: usize, count: i32, fill: f32): v128 {
  let x = f32x4.replace_lane(f32x4.splat(fill), 0, load<f32>(address));
  if (count > 1) x = f32x4.replace_lane(x, 1, load<f32>(address, 4));
  if (count > 2) x = f32x4.replace_lane(x, 2, load<f32>(address, 8));
  return x;
}

/** Stores the first `count` (1 to 3) lanes at `address`. */
@inline
export function storePartial(address: usize, x: v128, count: i32): void {
  v128.store32_lane(address, x, 0);
  if (count > 1) v128.store32_lane(address, x, 1, 4);
  if (count > 2) v128.store32_lane(address, x, 2, 8);
}

/** Stores the first `count` lanes at `address`, all of them from 4 on. */
@inline
export function storeUpTo4(address: usize, x: v128, count: i32): void {
  if (count >= 4) v128.store(address, x);
  else storePartial(address, x, count);
}

/** Copies `bytes` (a multiple of 4) bytes; quicker than memory.copy for the rows of tables. */
@inline
export function copyRow(from: usize, to: usize, bytes: usize): void {
  let at: usize = 0;
  for (; at + 32 <= bytes; at += 32) storePair(to + at, v128.load(from + at), v128.load(from + at, 16));
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, v128.load(from + at));
  for (; at < bytes; at += 4) store<i32>(to + at, load<i32>(from + at));
}

/** Zeroes `bytes` (a multiple of 4) bytes. */
@inline
export function clearRow(to: usize, bytes: usize): void {
  let at: usize = 0;
  for (; at + 32 <= bytes; at += 32) storePair(to + at, f32x4.splat(0), f32x4.splat(0));
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, f32x4.splat(0));
  for (; at < bytes; at += 4) store<f32>(to + at, 0);
}
