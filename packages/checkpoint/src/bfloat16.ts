/** @file bfloat16: the upper half of an f32. */

/** The least magnitude that rounds to infinity: halfway between the largest finite bfloat16 and 2^128. */
export const BFLOAT16_OVERFLOW = 2 ** 128 - 2 ** 119;
const BFLOAT16_NAN = 0x7fc0;
const scratch = new DataView(new ArrayBuffer(4));

/** The bits of the bfloat16 nearest to an f32, of two equally near ones the even one. NaN becomes one quiet NaN. */
export function floatToBfloat16(value: number): number {
  if (Number.isNaN(value)) return BFLOAT16_NAN;
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  // A carry into the exponent is what rounding up to the next power of two, or to infinity, is.
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}
