/** @file What numbers are on their way between ranks. */
import { floatsToHalves, halvesToFloats } from '@transfusion/checkpoint';

export type WireType = 'f32' | 'f16';

/** Tensors, or parts of them, that lie behind each other, by their lengths. */
export interface Wire<Packed extends Float32Array | Uint16Array = Float32Array | Uint16Array> {
  /** Elements of what `pack` gives. */
  packedLength(lengths: readonly number[]): number;
  /** @param into where it goes */
  pack(values: Float32Array, lengths: readonly number[], into: Packed): void;
  unpack(packed: Packed, lengths: readonly number[]): Float32Array;
  create(length: number): Packed;
}

const sum = (lengths: readonly number[]) => lengths.reduce((total, length) => total + length, 0);

const asTheyAre: Wire<Float32Array> = {
  packedLength: sum,
  pack: (values, _, into) => into.set(values),
  unpack: (packed) => packed,
  create: (length) => new Float32Array(length),
};

/** Powers of two that f32 has, counted from this one: what travels in front of a tensor is not negative. */
const LEAST_POWER = -126;
/** The largest magnitude of a tensor becomes one from 2^13 on: what is less by more than 2^-27 of it is lost. */
const LARGEST_POWER = 13;

/** Halves of what a power of two brings into their range, one power for each tensor: they keep 11 significant bits. */
const halves: Wire<Uint16Array> = {
  packedLength: (lengths) => lengths.length + sum(lengths),
  pack(values, lengths, into) {
    let at = 0;
    for (const [i, length] of lengths.entries()) {
      const part = values.subarray(at, at + length);
      const power = powerOf(part);
      into[i] = power - LEAST_POWER;
      const factor = 2 ** (LARGEST_POWER - power);
      into.set(floatsToHalves(part.map((value) => value * factor)), lengths.length + at);
      at += length;
    }
  },
  unpack(packed, lengths) {
    const values = halvesToFloats(packed.subarray(lengths.length));
    let at = 0;
    for (const [i, length] of lengths.entries()) {
      const factor = 2 ** (packed[i] + LEAST_POWER - LARGEST_POWER);
      for (const end = at + length; at < end; at++) values[at] *= factor;
    }
    return values;
  },
  create: (length) => new Uint16Array(length),
};

export const WIRES: Record<WireType, Wire> = { f32: asTheyAre as Wire, f16: halves as Wire };

/** The power of two that the largest finite magnitude is at least. */
function powerOf(values: Float32Array): number {
  let largest = 0;
  for (const value of values) {
    const magnitude = Math.abs(value);
    if (magnitude > largest && magnitude < Number.POSITIVE_INFINITY) largest = magnitude;
  }
  return largest === 0 ? LEAST_POWER : Math.max(LEAST_POWER, Math.floor(Math.log2(largest)));
}
