/**
 * @file The types of elements that safetensors files have, by the names of the format's own library (`Dtype` in
 * https://github.com/huggingface/safetensors/blob/main/safetensors/src/tensor.rs, version 0.8).
 */

/** Bits of an element. Those of less than a byte are packed: a tensor of them has a whole number of bytes. */
export const DTYPE_BITS = {
  ...{ BOOL: 8, U8: 8, I8: 8, U16: 16, I16: 16, U32: 32, I32: 32, U64: 64, I64: 64 },
  ...{ F64: 64, F32: 32, F16: 16, BF16: 16 },
  ...{ F8_E4M3: 8, F8_E5M2: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8 },
  ...{ F6_E2M3: 6, F6_E3M2: 6, F4: 4 },
  C64: 64,
} as const;

/** The types of the format. */
export type Dtype = keyof typeof DTYPE_BITS;

export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(DTYPE_BITS, name);
}
