/** @file Bytes, however they come. */
import { describeKind, tagOf } from '@transfusion/core';
import { CheckpointError } from './errors.js';

/** What is taken for bytes: a Buffer is a Uint8Array; memory may be shared, and a view may begin anywhere in it. */
export type Bytes = Uint8Array | Uint8ClampedArray | Int8Array | DataView | ArrayBufferLike;

const BYTE_VIEWS = ['Uint8Array', 'Uint8ClampedArray', 'Int8Array', 'DataView'];

/**
 * A plain Uint8Array over the same memory. (A Buffer's `slice` is a view, a Uint8Array's a copy.)
 *
 * @param where names the bytes in the error
 * @throws CheckpointError CHECKPOINT_ARGUMENT
 */
export function asBytes(value: unknown, where: string): Uint8Array {
  const tag = tagOf(value);
  if (tag === 'ArrayBuffer' || tag === 'SharedArrayBuffer') return new Uint8Array(value as ArrayBufferLike);
  if (ArrayBuffer.isView(value) && BYTE_VIEWS.includes(tag)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  throw new CheckpointError({
    code: 'CHECKPOINT_ARGUMENT',
    message: `${where}: is ${describeKind(value)}, expected bytes: a Uint8Array or ArrayBuffer`,
    fix: fixFor(value),
  });
}

function fixFor(value: unknown): string {
  if (typeof value === 'string') return 'read the file first; in Node, readSafetensorsFile(path) does both';
  if (Array.isArray(value)) return 'give Uint8Array.from(bytes)';
  if (ArrayBuffer.isView(value)) return 'give new Uint8Array(array.buffer, array.byteOffset, array.byteLength)';
  if (tagOf(value) === 'Promise') return 'await it first';
  return 'give the bytes of the file, such as `await response.arrayBuffer()`';
}
