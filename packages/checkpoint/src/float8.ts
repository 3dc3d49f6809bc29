/**
 * @file Floats of 8 bits: E4M3 and E5M2 of arXiv 2209.05433 (the OCP 8-bit floating point specification), their variants
 * without negative zero and infinities (FNUZ, arXiv 2206.02915), and the exponents of microscaling formats (E8M0).
 */

type Float8 = 'F8_E4M3' | 'F8_E5M2' | 'F8_E4M3FNUZ' | 'F8_E5M2FNUZ' | 'F8_E8M0';

/** The codes, without their sign bit, that are no finite numbers. FNUZ have one only: what would be minus zero. */
const FORMATS = {
  F8_E4M3: { fractionBits: 3, bias: 7, infinity: undefined, firstNaN: 0x7f, unsignedZero: false },
  F8_E5M2: { fractionBits: 2, bias: 15, infinity: 0x7c, firstNaN: 0x7d, unsignedZero: false },
  F8_E4M3FNUZ: { fractionBits: 3, bias: 8, infinity: undefined, firstNaN: 0x80, unsignedZero: true },
  F8_E5M2FNUZ: { fractionBits: 2, bias: 16, infinity: undefined, firstNaN: 0x80, unsignedZero: true },
};

const tables = new Map<Float8, Float32Array>();

/** The values of all 256 codes. */
export function float8Values(dtype: Float8): Float32Array {
  let table = tables.get(dtype);
  if (!table) {
    table = Float32Array.from({ length: 256 }, (_, code) => (dtype === 'F8_E8M0' ? scale(code) : value(dtype, code)));
    tables.set(dtype, table);
  }
  return table;
}

function value(dtype: keyof typeof FORMATS, code: number): number {
  const { fractionBits, bias, infinity, firstNaN, unsignedZero } = FORMATS[dtype];
  const magnitude = code & 0x7f;
  if (magnitude >= firstNaN || (unsignedZero && code === 0x80)) return Number.NaN;
  const sign = code & 0x80 ? -1 : 1;
  if (magnitude === infinity) return sign * Number.POSITIVE_INFINITY;
  const exponent = magnitude >> fractionBits;
  const fraction = (magnitude & ((1 << fractionBits) - 1)) / (1 << fractionBits);
  return sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
}

/** An exponent and nothing else. */
function scale(code: number): number {
  return code === 0xff ? Number.NaN : 2 ** (code - 127);
}
