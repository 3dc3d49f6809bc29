/** @file Tensors to safetensors files: https://huggingface.co/docs/safetensors. */
import { describeKind, tagOf } from '@transfusion/core';
import { BFLOAT16_OVERFLOW, floatToBfloat16 } from './bfloat16.js';
import { DTYPE_BITS, type Dtype } from './dtypes.js';
import { CheckpointError } from './errors.js';
import { floatToHalf, HALF_OVERFLOW } from './half.js';
import { encodeHeader } from './safetensors-header.js';
import { isLittleEndian } from './to-float32.js';

type Numbers = Float32Array | Int32Array | Uint8Array;

/** A tensor to write: its type follows from its data. */
export interface TensorData<Data extends Numbers = Numbers> {
  shape: number[];
  data: Data;
  /** How f32 data are stored; default: as they are. F16 and BF16 take half the bytes and round to 11 and 8 significant bits. */
  dtype?: ShortDtype;
}

/** A tensor that is made when it is written, and not kept: of a model that is larger than memory. */
export interface LazyTensor {
  shape: number[];
  /** Its values; asked for once for each time that its file is written. */
  values: () => Float32Array;
  /** As `TensorData` has it. */
  dtype?: ShortDtype;
}

/** What can be written. */
export type WritableTensor = TensorData | LazyTensor;

/** The types of two bytes that f32 are stored in. */
export type ShortDtype = 'F16' | 'BF16';

interface Short {
  bits: (value: number) => number;
  /** The least magnitude that becomes infinite. */
  overflow: number;
  /** The largest number, for errors. */
  largest: string;
}

const SHORT: Record<ShortDtype, Short> = {
  F16: { bits: floatToHalf, overflow: HALF_OVERFLOW, largest: '65504' },
  BF16: { bits: floatToBfloat16, overflow: BFLOAT16_OVERFLOW, largest: '3.39e38' },
};

const DTYPE_OF: Record<string, Dtype> = { Float32Array: 'F32', Int32Array: 'I32', Uint8Array: 'U8' };

/** The bytes of numbers in little-endian order: a view where the machine has that order. */
function littleEndianBytes(data: Numbers | Uint16Array): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const size = data.BYTES_PER_ELEMENT;
  if (isLittleEndian || size === 1) return bytes;
  const swapped = bytes.slice();
  for (let at = 0; at < swapped.length; at += size) swapped.subarray(at, at + size).reverse();
  return swapped;
}

/** Values of two bytes that are made together. */
const SHORT_VALUES = 2 ** 22;

function* encodeData({ data, dtype }: TensorData): Generator<Uint8Array> {
  if (dtype === undefined) {
    yield littleEndianBytes(data);
    return;
  }
  const { bits } = SHORT[dtype];
  for (let begin = 0; begin < data.length || begin === 0; begin += SHORT_VALUES) {
    const part = data.subarray(begin, begin + SHORT_VALUES);
    const short = new Uint16Array(part.length);
    for (let i = 0; i < part.length; i++) short[i] = bits(part[i]);
    yield littleEndianBytes(short);
  }
}

const isLazy = (tensor: WritableTensor): tensor is LazyTensor => 'values' in tensor;

/** How a tensor is stored, and how many values it has: before lazy ones are made, by what they say. @throws as `checkTensor` */
function checkWritable(name: string, tensor: WritableTensor): { dtype: Dtype; elements: number } {
  if (!isLazy(tensor)) return { dtype: checkTensor(name, tensor), elements: tensor.data.length };
  const { shape, dtype } = tensor;
  // Everything but the values: an empty tensor of that name and type.
  const stored = checkTensor(name, { shape: [0], data: new Float32Array(0), dtype });
  return { dtype: stored, elements: checkShape(name, shape) };
}

/** @throws CheckpointError CHECKPOINT_CONTENT also where what was made is not what was said */
function madeTensor(name: string, tensor: WritableTensor): TensorData {
  if (!isLazy(tensor)) return tensor;
  const { shape, values, dtype } = tensor;
  const made = { shape, data: values(), dtype };
  checkTensor(name, made);
  return made;
}

/** @returns how it is stored @throws CheckpointError CHECKPOINT_CONTENT */
function checkTensor(name: string, { shape, data, dtype }: TensorData): Dtype {
  const tensor = `tensor ${JSON.stringify(name)}`;
  const stored = ArrayBuffer.isView(data) ? DTYPE_OF[tagOf(data)] : undefined;
  if (stored === undefined) {
    throw contentError(
      `${tensor}: its data are ${describeKind(data)}, expected a Float32Array, Int32Array or Uint8Array`,
      'convert them, for example with Float32Array.from(data)',
    );
  }
  const elements = checkShape(name, shape);
  if (elements !== data.length) {
    throw contentError(`${tensor}: shape [${shape.join(', ')}] has ${elements} elements, its data ${data.length}`);
  }
  if (name === '__metadata__') throw contentError(`${tensor}: the format keeps this name for itself`);
  if (dtype === undefined) return stored;
  if (!Object.hasOwn(SHORT, dtype) || stored !== 'F32') {
    throw contentError(`${tensor}: dtype is ${dtype}, its data ${describeKind(data)}; F16 and BF16 are for f32 data`);
  }
  const { overflow, largest } = SHORT[dtype];
  const at = data.findIndex((value) => Math.abs(value) >= overflow && Number.isFinite(value));
  if (at >= 0) {
    throw contentError(
      `${tensor}: value ${at} is ${data[at]}, ${dtype} ends at ${largest}`,
      'store this tensor as f32: leave its dtype out',
    );
  }
  return dtype;
}

/** @returns how many elements it has @throws CheckpointError CHECKPOINT_CONTENT */
function checkShape(name: string, shape: unknown): number {
  if (!Array.isArray(shape) || !shape.every((axis) => Number.isInteger(axis) && axis >= 0)) {
    throw contentError(
      `tensor ${JSON.stringify(name)}: its shape is ${Array.isArray(shape) ? `[${shape.join(', ')}]` : describeKind(shape)}, expected a list of whole numbers from 0`,
    );
  }
  return shape.reduce((product, axis) => product * axis, 1);
}

function contentError(message: string, fix?: string): CheckpointError {
  return new CheckpointError({ code: 'CHECKPOINT_CONTENT', message, fix });
}

function checkArguments(tensors: unknown, metadata: object): void {
  if (tagOf(tensors) !== 'Map') {
    throw new CheckpointError({
      code: 'CHECKPOINT_ARGUMENT',
      message: `tensors are ${describeKind(tensors)}, expected a Map from names to { shape, data }`,
      fix: 'give new Map(Object.entries(tensors))',
    });
  }
  const [name, value] = Object.entries(metadata).find(([, each]) => typeof each !== 'string') ?? [];
  if (name === undefined) return;
  throw contentError(
    `metadata.${name} is ${describeKind(value)}, expected a string`,
    'the format has strings only: give String(value) or JSON.stringify(value)',
  );
}

/** The tensors' names, in the order in which they are written, so that equal contents give equal files. */
function sortedNames(tensors: Map<string, WritableTensor>): string[] {
  return [...tensors.keys()].sort((a, b) => (a < b ? -1 : 1));
}

/** Bytes that each tensor takes in a file, in the order of files. @throws CheckpointError as `encodeSafetensors` */
export function checkTensors(tensors: Map<string, WritableTensor>): Map<string, number> {
  checkArguments(tensors, {});
  return new Map(
    sortedNames(tensors).map((name) => {
      const { dtype, elements } = checkWritable(name, tensors.get(name)!);
      return [name, (DTYPE_BITS[dtype] / 8) * elements];
    }),
  );
}

/**
 * The pieces of a safetensors file, in order: a header, then each tensor's bytes (views; only F16 and BF16 are copies, a part at a
 * time). Tensors are ordered by name. A lazy one is made when its bytes are asked for.
 *
 * @throws CheckpointError before the first piece (of a lazy tensor's values, before they): CHECKPOINT_CONTENT: a tensor's data are of another kind, or do not fit
 *   its shape; a finite value is too large for F16 or BF16 (infinities and NaN are kept); CHECKPOINT_ARGUMENT: no Map
 */
export function* encodeSafetensors(
  tensors: Map<string, WritableTensor>,
  metadata: Record<string, string> = {},
): Generator<Uint8Array> {
  checkArguments(tensors, metadata);
  const names = sortedNames(tensors);
  const entries: [string, unknown][] = [['__metadata__', { format: 'pt', ...metadata }]];
  let offset = 0;
  for (const name of names) {
    const tensor = tensors.get(name)!;
    const { dtype, elements } = checkWritable(name, tensor);
    const { shape } = tensor;
    const end = offset + (DTYPE_BITS[dtype] / 8) * elements;
    entries.push([name, { dtype, shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  yield encodeHeader(Object.fromEntries(entries));
  for (const name of names) yield* encodeData(madeTensor(name, tensors.get(name)!));
}

/** A safetensors file as one array. @throws as `encodeSafetensors` */
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
