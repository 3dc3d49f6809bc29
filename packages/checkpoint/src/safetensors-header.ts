/**
 * @file The header of a safetensors file (https://huggingface.co/docs/safetensors): 8 bytes of its length, then JSON
 * that names each tensor's dtype, shape and place. Everything is checked against the file's size before it is believed.
 */
import { z } from 'zod';
import { CheckpointError, reason } from './errors.js';

/** Bytes per element of the types that are read. */
export const DTYPE_BYTES = { F32: 4, F16: 2, BF16: 2, I32: 4, I64: 8, U8: 1 } as const;
export type Dtype = keyof typeof DTYPE_BYTES;

/** The format's own limit. */
const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;

/** One tensor of a file. */
export interface TensorEntry {
  name: string;
  dtype: Dtype;
  shape: number[];
  /** Where its bytes are, from the start of the file: [begin, end). */
  begin: number;
  end: number;
}

export interface SafetensorsHeader {
  /** In the order of their bytes. */
  tensors: TensorEntry[];
  metadata: Record<string, string>;
}

const size = z.int().min(0);
const entrySchema = z.strictObject({
  dtype: z.enum(Object.keys(DTYPE_BYTES) as [Dtype, ...Dtype[]]),
  shape: z.array(size).max(16),
  data_offsets: z.tuple([size, size]),
});
const metadataSchema = z.record(z.string(), z.string());

function formatError(where: string, message: string): CheckpointError {
  return new CheckpointError({
    code: 'CHECKPOINT_FORMAT',
    message: `${where}: ${message}`,
    fix: 'the file is truncated, damaged or of another format: copy or download it again',
  });
}

/** Length of the header's JSON, from the first 8 bytes of a file of `fileLength` bytes. */
export function readHeaderLength(prefix: Uint8Array, fileLength: number, where: string): number {
  if (prefix.length < LENGTH_BYTES || fileLength < LENGTH_BYTES) {
    throw formatError(where, `has ${fileLength} bytes, a safetensors file has at least ${LENGTH_BYTES}`);
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES || LENGTH_BYTES + length > fileLength) {
    throw formatError(where, `its header says it has ${length} bytes, the whole file has ${fileLength}`);
  }
  return length;
}

function parseHeaderJson(json: Uint8Array, where: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch (error) {
    throw formatError(where, `its header is not JSON: ${reason(error)}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw formatError(where, 'its header is not a JSON object');
  }
  return parsed as Record<string, unknown>;
}

function parseEntry(name: string, value: unknown, dataStart: number, fileLength: number, where: string): TensorEntry {
  const parsed = entrySchema.safeParse(value);
  const tensor = `tensor ${JSON.stringify(name)}`;
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw formatError(where, `${tensor}: ${issue.path.join('.') || 'entry'}: ${issue.message}`);
  }
  const { dtype, shape, data_offsets: offsets } = parsed.data;
  const bytes = shape.reduce((product, axis) => product * axis, DTYPE_BYTES[dtype] as number);
  const [begin, end] = offsets;
  if (!Number.isSafeInteger(bytes) || end - begin !== bytes) {
    throw formatError(
      where,
      `${tensor}: ${dtype} [${shape.join(', ')}] takes ${bytes} bytes, its offsets span ${end - begin}`,
    );
  }
  if (dataStart + end > fileLength) {
    throw formatError(where, `${tensor}: ends at byte ${dataStart + end}, the file has ${fileLength}`);
  }
  return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

/**
 * Checks the header's JSON against the file's size: known dtypes, byte counts that follow from the shapes, tensors that
 * tile the data without overlap, hole or rest.
 *
 * @throws CheckpointError CHECKPOINT_FORMAT
 */
export function parseHeader(json: Uint8Array, fileLength: number, where: string): SafetensorsHeader {
  const dataStart = LENGTH_BYTES + json.length;
  const tensors: TensorEntry[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(parseHeaderJson(json, where))) {
    if (name === '__metadata__') {
      const parsed = metadataSchema.safeParse(value);
      if (!parsed.success) throw formatError(where, '__metadata__ is not a map of strings');
      metadata = parsed.data;
    } else {
      tensors.push(parseEntry(name, value, dataStart, fileLength, where));
    }
  }
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = dataStart;
  for (const { name, begin, end } of tensors) {
    if (begin !== covered) {
      const fault = begin < covered ? 'overlaps the tensor before it' : 'leaves a hole before it';
      throw formatError(
        where,
        `tensor ${JSON.stringify(name)}: starts at byte ${begin}, expected ${covered}: it ${fault}`,
      );
    }
    covered = end;
  }
  if (covered !== fileLength)
    throw formatError(where, `its tensors end at byte ${covered}, the file has ${fileLength}`);
  return { tensors, metadata };
}

/** The header's bytes, padded with spaces so that the data starts at a multiple of 8. */
export function encodeHeader(entries: Record<string, unknown>): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(JSON.stringify(entries));
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(LENGTH_BYTES + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, LENGTH_BYTES);
  return bytes;
}
