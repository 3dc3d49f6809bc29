/** @file Tensors in safetensors files: https://huggingface.co/docs/safetensors. */
import { CheckpointError } from './errors.js';
import { halfToFloat } from './half.js';
import {
  type Dtype,
  encodeHeader,
  parseHeader,
  readHeaderLength,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensors-header.js';

/** A tensor to write: its type follows from its data. */
export interface TensorData<
  Data extends Float32Array | Int32Array | Uint8Array = Float32Array | Int32Array | Uint8Array,
> {
  shape: number[];
  data: Data;
}

export type Tensors = Map<string, TensorData<Float32Array>>;

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function dtypeOf(data: Float32Array | Int32Array | Uint8Array): Dtype {
  if (data instanceof Float32Array) return 'F32';
  return data instanceof Int32Array ? 'I32' : 'U8';
}

/** The bytes of numbers in little-endian order: a view where the machine has that order. */
function littleEndianBytes(data: Float32Array | Int32Array | Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (isLittleEndian || data.BYTES_PER_ELEMENT === 1) return bytes;
  const swapped = bytes.slice();
  for (let at = 0; at < swapped.length; at += 4) swapped.subarray(at, at + 4).reverse();
  return swapped;
}

/**
 * The pieces of a safetensors file, in order: a header, then each tensor's bytes (views, nothing is copied). Tensors are
 * ordered by name, so that equal contents give equal files.
 *
 * @throws CheckpointError CHECKPOINT_CONTENT: a shape does not fit its data
 */
export function* encodeSafetensors(
  tensors: Map<string, TensorData>,
  metadata: Record<string, string> = {},
): Generator<Uint8Array> {
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  const entries: [string, unknown][] = [['__metadata__', { format: 'pt', ...metadata }]];
  let offset = 0;
  for (const [name, { shape, data }] of sorted) {
    const elements = shape.reduce((product, axis) => product * axis, 1);
    if (elements !== data.length || name === '__metadata__') {
      throw new CheckpointError({
        code: 'CHECKPOINT_CONTENT',
        message: `tensor ${JSON.stringify(name)}: shape [${shape.join(', ')}] has ${elements} elements, its data ${data.length}`,
      });
    }
    entries.push([name, { dtype: dtypeOf(data), shape, data_offsets: [offset, offset + data.byteLength] }]);
    offset += data.byteLength;
  }
  yield encodeHeader(Object.fromEntries(entries));
  for (const [, { data }] of sorted) yield littleEndianBytes(data);
}

/** A safetensors file as one array. */
export function writeSafetensors(tensors: Map<string, TensorData>, metadata?: Record<string, string>): Uint8Array {
  const pieces = [...encodeSafetensors(tensors, metadata)];
  const file = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    file.set(piece, at);
    at += piece.length;
  }
  return file;
}

/** The header of a file that is in memory. */
export function readSafetensorsHeader(file: Uint8Array, where: string): SafetensorsHeader {
  const length = readHeaderLength(file.subarray(0, 8), file.length, where);
  return parseHeader(file.subarray(8, 8 + length), file.length, where);
}

/**
 * A tensor's bytes as f32: F32 as they are, F16 and BF16 exactly; I32, I64 and U8 to the nearest f32.
 *
 * @param bytes exactly `entry.end - entry.begin` bytes
 */
export function toFloat32({ dtype }: Pick<TensorEntry, 'dtype'>, bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (dtype) {
    case 'F32': {
      if (isLittleEndian) return new Float32Array(bytes.slice().buffer);
      return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
    }
    case 'F16':
      return Float32Array.from({ length: bytes.length / 2 }, (_, i) => halfToFloat(view.getUint16(2 * i, true)));
    case 'BF16': {
      const bits = Uint32Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(2 * i, true) << 16);
      return new Float32Array(bits.buffer);
    }
    case 'I32':
      return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getInt32(4 * i, true));
    case 'I64':
      return Float32Array.from({ length: bytes.length / 8 }, (_, i) => Number(view.getBigInt64(8 * i, true)));
    case 'U8':
      return Float32Array.from(bytes);
  }
}

/**
 * Reads every tensor of a file in memory, as f32.
 *
 * @param where names the file in errors
 * @throws CheckpointError CHECKPOINT_FORMAT
 */
export function readSafetensors(file: Uint8Array, where = 'safetensors file'): Tensors {
  const { tensors } = readSafetensorsHeader(file, where);
  return new Map(
    tensors.map((entry) => {
      return [entry.name, { shape: entry.shape, data: toFloat32(entry, file.subarray(entry.begin, entry.end)) }];
    }),
  );
}
