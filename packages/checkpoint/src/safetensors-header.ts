/**
 * @file The header of a safetensors file (https://huggingface.co/docs/safetensors): 8 bytes of its length, then JSON
 * that names each tensor's dtype, shape and place. Everything is checked against the file's size before it is believed.
 */
import { reason } from '@transfusion/core';
import { z } from 'zod';
import { DTYPE_BITS, isDtype } from './dtypes.js';
import { CheckpointError } from './errors.js';
import { identifyFile } from './foreign-file.js';

/** The format's own limit. */
const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;

/** One tensor of a file. */
export interface TensorEntry {
  name: string;
  /** A `Dtype`, or one that is not known here: such a tensor cannot be read, but the others of its file can. */
  dtype: string;
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
  dtype: z.string().min(1).max(64),
  shape: z.array(size).max(16),
  data_offsets: z.tuple([size, size]),
});
const metadataSchema = z.record(z.string(), z.string()).nullable();

/** What follows from where header and file disagree. */
const FIXES = {
  shorter: 'the file is cut off: copy or download it again',
  longer: 'something was written behind it, or into it: copy or download it again',
  contradictory:
    'no broken download does this: the program that wrote the file is at fault, or it was changed; write it again',
};

function formatError(where: string, message: string, fix: string): CheckpointError {
  return new CheckpointError({ code: 'CHECKPOINT_FORMAT', message: `${where}: ${message}`, fix });
}

/**
 * Length of the header's JSON, from the first 8 bytes of a file of `fileLength` bytes.
 *
 * @param prefix the file's first `SIGNATURE_BYTES`, or all there are: they tell what else a file is
 * @throws CheckpointError CHECKPOINT_FORMAT
 */
export function readHeaderLength(prefix: Uint8Array, fileLength: number, where: string): number {
  const foreign = () => identifyFile(prefix);
  if (prefix.length < LENGTH_BYTES || fileLength < LENGTH_BYTES) {
    const isText = foreign() && `; it is ${foreign()?.is}`;
    throw formatError(
      where,
      `has ${fileLength} bytes, a safetensors file has at least ${LENGTH_BYTES}${isText ?? ''}`,
      foreign()?.fix ?? FIXES.shorter,
    );
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > 0 && length <= MAX_HEADER_BYTES && LENGTH_BYTES + length <= fileLength) return length;
  const found = foreign();
  if (found) throw formatError(where, `is no safetensors file: it is ${found.is}`, found.fix);
  throw formatError(
    where,
    `its header says it has ${length} bytes, the whole file has ${fileLength}`,
    length > MAX_HEADER_BYTES || length === 0 ? 'it is no safetensors file: check where it is from' : FIXES.shorter,
  );
}

function parseHeaderJson(json: Uint8Array, where: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    // Browsers decode no shared memory: a copy.
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array(json)));
  } catch (error) {
    const fix = 'it is damaged, or no safetensors file: copy or download it again';
    throw formatError(where, `its header is not JSON: ${reason(error)}`, fix);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw formatError(where, 'its header is not a JSON object', FIXES.contradictory);
  }
  return parsed as Record<string, unknown>;
}

function parseEntry(name: string, value: unknown, dataStart: number, fileLength: number, where: string): TensorEntry {
  const parsed = entrySchema.safeParse(value);
  const tensor = `tensor ${JSON.stringify(name)}`;
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw formatError(where, `${tensor}: ${issue.path.join('.') || 'entry'}: ${issue.message}`, FIXES.contradictory);
  }
  const { dtype, shape, data_offsets: offsets } = parsed.data;
  const [begin, end] = offsets;
  const bytes = isDtype(dtype) ? bytesOf(DTYPE_BITS[dtype], shape) : Math.max(0, end - begin);
  if (!Number.isSafeInteger(bytes) || end - begin !== bytes) {
    throw formatError(
      where,
      `${tensor}: ${dtype} [${shape.join(', ')}] takes ${bytes} bytes, its offsets span ${end - begin}`,
      FIXES.contradictory,
    );
  }
  if (dataStart + end > fileLength) {
    throw formatError(where, `${tensor}: ends at byte ${dataStart + end}, the file has ${fileLength}`, FIXES.shorter);
  }
  return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

/** A fraction, where elements of less than a byte fill no whole number of them. */
function bytesOf(bits: number, shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, bits) / 8;
}

/**
 * Checks the header's JSON against the file's size: byte counts that follow from dtypes and shapes (of a dtype that is not
 * known, only the place), tensors that tile the data without overlap, hole or rest.
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
      if (!parsed.success) throw formatError(where, '__metadata__ is not a map of strings', FIXES.contradictory);
      metadata = parsed.data ?? {};
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
        FIXES.contradictory,
      );
    }
    covered = end;
  }
  if (covered !== fileLength) {
    throw formatError(where, `its tensors end at byte ${covered}, the file has ${fileLength}`, FIXES.longer);
  }
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
