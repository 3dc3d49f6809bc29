/** @file Numbers that are the same in every process. */
import { PhiloxStream } from '@transfusion/tensor';

/** Normal numbers with the given standard deviation. */
export function normalArray(length: number, options: { seed: number; std?: number }): Float32Array {
  const { seed, std = 1 } = options;
  const stream = new PhiloxStream(seed, 0);
  return Float32Array.from({ length }, () => std * stream.normal());
}
