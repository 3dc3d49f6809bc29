/** @file IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction. */

/** The least magnitude that rounds to infinity: halfway between 65,504, the largest finite half, and 65,536. */
export const HALF_OVERFLOW = 65_520;
const HALF_NAN = 0x7e00;
const HALF_INFINITY = 0x7c00;
/** Units of the last place in 1, for exponents from -14 (the least, of subnormal halves too) to 15. */
const UNITS = Float64Array.from({ length: 30 }, (_, i) => 2 ** (24 - i));
/** A unit of the last place of a normal half, by the bits of its exponent; a power takes ten times as long as the rest of a half. */
const UNIT = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (exponent - 25));
const scratch = new DataView(new ArrayBuffer(8));
/** Of an f32: the least magnitude that is a normal half, and its bits, for exponents from there on. */
const LEAST_NORMAL = 2 ** -14;
const REBIAS = (127 - 15) << 23;
const OVERFLOW_BITS = 0x477ff000;
const INFINITY_BITS = 0x7f800000;

/** The value of IEEE 754 binary16 bits, exactly. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  // Subnormal halves have the unit of the least normal ones, and no leading 1.
  return exponent === 0 ? sign * fraction * UNIT[1] : sign * (1024 + fraction) * UNIT[exponent];
}

/**
 * The bits of the half nearest to `value`, of two equally near ones the even one, rounded once also where `value` is no
 * f32. Magnitudes from `HALF_OVERFLOW` become infinity; NaN becomes one quiet NaN.
 */
export function floatToHalf(value: number): number {
  if (Number.isNaN(value)) return HALF_NAN;
  scratch.setFloat64(0, value);
  const high = scratch.getUint32(0);
  const sign = (high >>> 16) & 0x8000;
  const magnitude = Math.abs(value);
  if (magnitude >= HALF_OVERFLOW) return sign | HALF_INFINITY;
  // Counted from the least, -14; 1023 is the bias of an f64.
  const exponent = Math.max(0, ((high >>> 20) & 0x7ff) - 1023 + 14);
  // Below 2048 units, exact. Beside 2^52 an f64 has no room for a fraction, and rounds it to even.
  const units = magnitude * UNITS[exponent] + 2 ** 52 - 2 ** 52;
  // Normal halves have 1024 units or more, the first of which is their exponent's lowest bit; 2048 carry into the next.
  return sign | ((exponent << 10) + units);
}

/** `floatToHalf` of many f32, ten times as fast. */
export function floatsToHalves(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) {
    const magnitude = bits[i] & 0x7fffffff;
    const sign = (bits[i] >>> 16) & 0x8000;
    if (magnitude >= OVERFLOW_BITS) {
      halves[i] = magnitude > INFINITY_BITS ? HALF_NAN : sign | HALF_INFINITY;
    } else if (Math.abs(values[i]) < LEAST_NORMAL) {
      halves[i] = sign | (Math.abs(values[i]) * UNITS[0] + 2 ** 52 - 2 ** 52);
    } else {
      // To even where both are equally near; a carry goes into the exponent.
      halves[i] = sign | ((magnitude - REBIAS + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    }
  }
  return halves;
}

let floats: Float32Array<ArrayBuffer> | undefined;

/** `halfToFloat` of many, by a table of all 65,536. */
export function halvesToFloats(halves: Uint16Array): Float32Array<ArrayBuffer> {
  floats ??= Float32Array.from({ length: 65_536 }, (_, bits) => halfToFloat(bits));
  const values = new Float32Array(halves.length);
  for (let i = 0; i < values.length; i++) values[i] = floats[halves[i]];
  return values;
}
