/** @file Tensors in safetensors files: https://huggingface.co/docs/safetensors. */
import { CheckpointError } from './errors.js';
import { floatToHalf, HALF_OVERFLOW, halfToFloat } from './half.js';
import {
  DTYPE_BYTES,
  type Dtype,
  encodeHeader,
  parseHeader,
  readHeaderLength,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensors-header.js';

type Numbers = Float32Array | Int32Array | Uint8Array;

/** A tensor to write: its type follows from its data. */
export interface TensorData<Data extends Numbers = Numbers> {
  shape: number[];
  data: Data;
  /** How f32 data are stored; default: as they are. F16 takes half the bytes and rounds to 11 significant bits. */
  dtype?: 'F16';
}

export type Tensors = Map<string, TensorData<Float32Array>>;

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function dtypeOf({ data, dtype }: TensorData): Dtype {
  if (data instanceof Float32Array) return dtype ?? 'F32';
  return data instanceof Int32Array ? 'I32' : 'U8';
}

/** The bytes of numbers in little-endian order: a view where the machine has that order. */
function littleEndianBytes(data: Numbers | Uint16Array): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const size = data.BYTES_PER_ELEMENT;
  if (isLittleEndian || size === 1) return bytes;
  const swapped = bytes.slice();
  for (let at = 0; at < swapped.length; at += size) swapped.subarray(at, at + size).reverse();
  return swapped;
}

function encodeData({ data, dtype }: TensorData): Uint8Array {
  if (dtype === undefined) return littleEndianBytes(data);
  const halves = new Uint16Array(data.length);
  for (let i = 0; i < data.length; i++) halves[i] = floatToHalf(data[i]);
  return littleEndianBytes(halves);
}

/** @throws CheckpointError CHECKPOINT_CONTENT */
function checkTensor(name: string, { shape, data, dtype }: TensorData): void {
  const tensor = `tensor ${JSON.stringify(name)}`;
  const elements = shape.reduce((product, axis) => product * axis, 1);
  if (elements !== data.length || name === '__metadata__') {
    throw contentError(`${tensor}: shape [${shape.join(', ')}] has ${elements} elements, its data ${data.length}`);
  }
  if (dtype === undefined) return;
  if (dtype !== 'F16' || !(data instanceof Float32Array)) {
    throw contentError(`${tensor}: dtype is ${dtype}, its data a ${data.constructor.name}; F16 is for f32 data`);
  }
  const at = data.findIndex((value) => Math.abs(value) >= HALF_OVERFLOW && Number.isFinite(value));
  if (at >= 0) {
    throw contentError(
      `${tensor}: value ${at} is ${data[at]}, F16 ends at 65504`,
      'store this tensor as f32: leave its dtype out',
    );
  }
}

function contentError(message: string, fix?: string): CheckpointError {
  return new CheckpointError({ code: 'CHECKPOINT_CONTENT', message, fix });
}

/**
 * The pieces of a safetensors file, in order: a header, then each tensor's bytes (views; only F16 is a copy, of one
 * tensor at a time). Tensors are ordered by name, so that equal contents give equal files.
 *
 * @throws CheckpointError CHECKPOINT_CONTENT, before the first piece: a shape does not fit its data; a finite value is
 *   too large for F16 (infinities and NaN are kept)
 */
export function* encodeSafetensors(
  tensors: Map<string, TensorData>,
  metadata: Record<string, string> = {},
): Generator<Uint8Array> {
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  const entries: [string, unknown][] = [['__metadata__', { format: 'pt', ...metadata }]];
  let offset = 0;
  for (const [name, tensor] of sorted) {
    checkTensor(name, tensor);
    const { shape, data } = tensor;
    const dtype = dtypeOf(tensor);
    const end = offset + DTYPE_BYTES[dtype] * data.length;
    entries.push([name, { dtype, shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  yield encodeHeader(Object.fromEntries(entries));
  for (const [, tensor] of sorted) yield encodeData(tensor);
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
