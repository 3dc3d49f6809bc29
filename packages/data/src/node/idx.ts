/** @file IDX files, the format of MNIST and its like: an array of bytes behind its dimensions, plain or gzipped. */
import { constants, gunzipSync } from 'node:zlib';
import { reason, TransfusionError } from '@transfusion/core';

/** DEFLATE expands no more than so many times. */
const MOST_EXPANSION = 1032;
/** Enough gzipped bytes to inflate the header from. */
const PREFIX = 4096;
/** Type code of unsigned bytes. */
const UNSIGNED_BYTE = 8;

export interface IdxArray {
  dims: number[];
  /** Row-major; as many bytes as the product of `dims`. */
  data: Uint8Array;
}

export interface IdxOptions {
  /** Names the file in errors. */
  where: string;
  /** How many dimensions the array has to have. */
  rank: number;
  /** Most bytes of the file once inflated; default 2^28. */
  mostBytes?: number;
}

/**
 * Reads an IDX file of unsigned bytes.
 *
 * @param bytes the file, or its gzip
 * @throws TransfusionError DATA_IDX_FORMAT: truncated, damaged, of another kind, too large, or its length is not what its
 *   header says; all before anything of the declared size is allocated
 */
export function parseIdx(bytes: Uint8Array, options: IdxOptions): IdxArray {
  const { where, rank, mostBytes = 2 ** 28 } = options;
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const start = isGzip ? inflate(bytes.subarray(0, PREFIX), where, { finishFlush: constants.Z_SYNC_FLUSH }) : bytes;
  const dims = readDims(start, where, rank);
  const headerLength = 4 + 4 * rank;
  const length = headerLength + dims.reduce((product, dim) => product * dim, 1);
  const declared = `its header says [${dims}], which is a file of ${length} bytes`;
  if (length > mostBytes) throw formatError(where, `${declared}; the most is ${mostBytes}`);
  if (isGzip && length > bytes.length * MOST_EXPANSION) {
    throw formatError(where, `${declared}, more than ${bytes.length} gzipped bytes can hold`);
  }
  const file = isGzip ? inflate(bytes, where, { maxOutputLength: length }) : bytes;
  if (file.length !== length) throw formatError(where, `${declared}; it has ${file.length}`);
  return { dims, data: file.subarray(headerLength) };
}

function readDims(bytes: Uint8Array, where: string, rank: number): number[] {
  if (bytes.length < 4 + 4 * rank) throw formatError(where, `it ends within its header, after ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0);
  const expected = UNSIGNED_BYTE * 256 + rank;
  if (magic !== expected) {
    throw formatError(
      where,
      `its magic number is ${hex(magic)}, expected ${hex(expected)}: bytes of ${rank} dimension(s)`,
    );
  }
  return Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
}

function inflate(bytes: Uint8Array, where: string, options: Parameters<typeof gunzipSync>[1]): Uint8Array {
  try {
    const inflated = gunzipSync(bytes, options);
    return new Uint8Array(inflated.buffer, inflated.byteOffset, inflated.length);
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
        ? `it inflates to more than the ${options?.maxOutputLength} bytes its header says`
        : `its gzip data is damaged (${reason(error)})`;
    throw formatError(where, why, error);
  }
}

function hex(magic: number): string {
  return `0x${magic.toString(16).padStart(8, '0')}`;
}

function formatError(where: string, why: string, cause?: unknown): TransfusionError {
  return new TransfusionError({
    code: 'DATA_IDX_FORMAT',
    message: `${where}: ${why}`,
    fix: 'fetch the file again; it has to be an IDX file of unsigned bytes, plain or gzipped',
    cause,
  });
}
