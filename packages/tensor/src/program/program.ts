/**
 * @file The contract between the compiler and a backend: a `Program` is a flat list of kernels over planned
 * buffers. It is plain data. A backend loads it once (`Backend.load`) and then replays it.
 */
import type { Kernel } from './kernels/index.js';

/** Element types of tensors, and of everything the host writes and reads. 4 bytes, little-endian. */
export type DType = 'f32' | 'i32';

export const BYTES_PER_ELEMENT = 4;

/** Element types of buffers. Tensors of f32 may be stored as f16 in arenas, where the backend can (`BackendLimits.f16`). */
export type BufferType = DType | 'f16';

/** Bytes that the elements of a buffer take, a multiple of 4. */
export function bufferBytes({ dtype, elements }: { dtype: BufferType; elements: number }): number {
  return dtype === 'f16' ? 4 * Math.ceil(elements / 2) : 4 * elements;
}

/** Where the elements of a buffer live. */
export type BufferStorage =
  /** Scratch memory of the program: arena number and byte offset (a multiple of `BackendLimits.alignment`). */
  | { kind: 'arena'; arena: number; byteOffset: number }
  /** Written by the host before every run: position in the `inputs` of `Executable.run`. */
  | { kind: 'input'; index: number }
  /** Persists between runs and is shared between programs: position in the `states` given to `Backend.load`. */
  | { kind: 'state'; index: number }
  /** Never changes: uploaded once when the program is loaded. */
  | { kind: 'constant'; data: Float32Array | Int32Array };

/** A row-major, contiguous run of elements. Kernels name buffers by their position in `Program.buffers`. */
export interface ProgramBuffer {
  dtype: BufferType;
  /** Number of elements, at least 1. */
  elements: number;
  storage: BufferStorage;
  /** For messages and profiles: what the buffer holds. */
  name: string;
}

export interface Program {
  /** For messages and profiles. */
  name: string;
  buffers: ProgramBuffer[];
  /** Executed in this order; each kernel sees everything that earlier ones wrote. */
  kernels: Kernel[];
  /** Bytes of each arena. No two buffers that live at the same time overlap. */
  arenaBytes: number[];
  /** The most bytes of arena buffers that live at the same time: no placement needs less. */
  liveBytes: number;
  /** Buffers whose contents `Executable.run` returns, in this order. */
  outputs: number[];
  /** Floating-point operations of one run, counting a multiply-add as two. */
  flops: number;
}
