/** @file Elements of any dtype as f32. */
import { asBytes, type Bytes } from './bytes.js';
import { DTYPE_BITS, type Dtype, isDtype } from './dtypes.js';
import { CheckpointError } from './errors.js';
import { float8Values } from './float8.js';
import { halfToFloat } from './half.js';

export const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

type Read = (view: DataView, at: number) => number;

/** An element of several bytes; what an f64 of it rounds to is the nearest f32. */
const READ: Partial<Record<Dtype, Read>> = {
  F64: (view, at) => view.getFloat64(at, true),
  F32: (view, at) => view.getFloat32(at, true),
  F16: (view, at) => halfToFloat(view.getUint16(at, true)),
  I16: (view, at) => view.getInt16(at, true),
  U16: (view, at) => view.getUint16(at, true),
  I32: (view, at) => view.getInt32(at, true),
  U32: (view, at) => view.getUint32(at, true),
  I64: (view, at) => wholeNumber(view.getInt32(at + 4, true), view.getUint32(at, true)),
  U64: (view, at) => wholeNumber(view.getUint32(at + 4, true), view.getUint32(at, true)),
};

/** An element of a byte. */
const OF_BYTE: Partial<Record<Dtype, () => Float32Array>> = {
  BOOL: () => byteValues((byte) => (byte === 0 ? 0 : 1)),
  U8: () => byteValues((byte) => byte),
  I8: () => byteValues((byte) => (byte << 24) >> 24),
  F8_E4M3: () => float8Values('F8_E4M3'),
  F8_E5M2: () => float8Values('F8_E5M2'),
  F8_E4M3FNUZ: () => float8Values('F8_E4M3FNUZ'),
  F8_E5M2FNUZ: () => float8Values('F8_E5M2FNUZ'),
  F8_E8M0: () => float8Values('F8_E8M0'),
};

function byteValues(value: (byte: number) => number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, byte) => value(byte));
}

/**
 * high 2^32 + low, as an f64 that is the number itself up to 2^53, and beyond lies on the same side of every f32 and of
 * every middle of two: its last 12 bits are replaced by one that says whether any of them was set, else it would be
 * rounded twice.
 */
function wholeNumber(high: number, low: number): number {
  const isExact = high >= -(2 ** 21) && high < 2 ** 21;
  const kept = isExact || (low & 0xfff) === 0 ? low : low - (low & 0xfff) + 0x800;
  return high * 2 ** 32 + kept;
}

/**
 * Checks that a tensor's elements can be read as f32: all but complex numbers, those that are packed in less than a byte
 * (whose order in a byte the format leaves open), and types that are not known.
 *
 * @param where names the file in the error
 * @throws CheckpointError CHECKPOINT_CONTENT
 */
export function checkReadable({ dtype, name }: { dtype: string; name?: string }, where: string): void {
  if (isDtype(dtype) && (dtype === 'BF16' || READ[dtype] || OF_BYTE[dtype])) return;
  const why =
    dtype === 'C64'
      ? 'complex numbers'
      : isDtype(dtype)
        ? 'packed in less than a byte'
        : 'a type that is not known here';
  throw new CheckpointError({
    code: 'CHECKPOINT_CONTENT',
    message: `${where}: ${name === undefined ? '' : `tensor ${JSON.stringify(name)}: `}dtype ${dtype} is not supported: ${why}`,
    fix: "read the file's other tensors by name, or store this one as F32, F16 or BF16",
  });
}

/**
 * A tensor's bytes as f32: F32, F16, BF16 and 8-bit floats exactly; F64, BOOL (0 or 1) and whole numbers as the nearest
 * f32.
 *
 * @param entry of a header; `name` is for errors
 * @param bytes the tensor's, no more
 * @param where names the file in errors
 * @returns memory of its own
 * @throws CheckpointError CHECKPOINT_CONTENT: the dtype is not supported, or the bytes are no whole number of elements;
 *   CHECKPOINT_ARGUMENT: no bytes
 */
export function toFloat32(entry: { dtype: string; name?: string }, bytes: Bytes, where = 'toFloat32'): Float32Array {
  const data = asBytes(bytes, where);
  checkReadable(entry, where);
  const dtype = entry.dtype as Dtype;
  const size = DTYPE_BITS[dtype] / 8;
  if (data.length % size !== 0) {
    throw new CheckpointError({
      code: 'CHECKPOINT_CONTENT',
      message: `${where}: ${data.length} bytes are no whole number of elements of ${dtype}, which have ${size}`,
      fix: 'give exactly the bytes [begin, end) of its entry in the header',
    });
  }
  const values = new Float32Array(data.length / size);
  const table = OF_BYTE[dtype]?.();
  if (table) {
    for (let i = 0; i < values.length; i++) values[i] = table[data[i]];
    return values;
  }
  if (dtype === 'F32' && isLittleEndian) {
    new Uint8Array(values.buffer).set(data);
    return values;
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (dtype === 'BF16') {
    // The upper half of an f32.
    const bits = new Uint32Array(values.buffer);
    for (let i = 0; i < bits.length; i++) bits[i] = view.getUint16(2 * i, true) << 16;
    return values;
  }
  const read = READ[dtype]!;
  for (let i = 0; i < values.length; i++) values[i] = read(view, i * size);
  return values;
}
