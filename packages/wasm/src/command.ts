/**
 * @file What a kernel becomes when a program is loaded: commands that wasm replays. A command is a kernel, a number of
 * tiles that any thread may take in any order, and words of arguments that the kernel reads from memory.
 */
import type { Kernel } from '@transfusion/tensor';
import type { KernelId } from './kernel-id.js';

/** What an encoder may ask about the program that is being loaded. */
export interface EncodeContext {
  /** Byte address of a program buffer. */
  address(buffer: number): number;
  /** Number of elements of a program buffer. */
  elements(buffer: number): number;
  /**
   * Reserves bytes, 64-byte aligned, in scratch that all kernels of the program share: its contents are undefined
   * before the kernel's first command and last until its last one. Returns the byte address.
   */
  scratch(bytes: number): number;
  /** Threads that will run the commands. Results must not depend on it. */
  readonly threads: number;
  /** Columns of the module's register tile. Results must not depend on it. */
  readonly tileColumns: number;
}

/** Commands run in order, each one after all tiles of the one before; the tiles of one command run in parallel. */
export interface Command {
  kernel: KernelId;
  /** Tiles 0 .. tiles - 1; at least 1. One tile runs on one thread without waking the others: use it for tiny work. */
  tiles: number;
  /** 32-bit words: integers and byte addresses as they are, floats through `floatWord`. Word n is at args + 4 n. */
  args: number[];
}

/** Encodes a kernel. May be called twice for the same kernel (first to measure scratch), so it must be a pure function. */
export type Encoder<K extends Kernel = Kernel> = (kernel: K, context: EncodeContext) => Command[];

const floatBits = new Float32Array(1);
const integerBits = new Int32Array(floatBits.buffer);

/** The bits of `value`, rounded to f32, as an i32 argument word. */
export function floatWord(value: number): number {
  floatBits[0] = value;
  return integerBits[0];
}
