/** @file Fixed places in wasm memory. `assembly/runtime.ts` and `assembly/scratch.ts` agree. */

export const PAGE_BYTES = 65536;

/** Everything the host allocates is aligned to this, a cache line. */
export const ALIGNMENT = 64;

/** i32: 1 + the number of the thread whose kernel trapped, 0 while all is well. */
export const FAILED_ADDRESS = 648;

/** Where the scratch of thread 0 begins: the control block and static data are below. */
export const SCRATCH_BASE = 65536;

/** Scratch bytes of each thread. */
export const SCRATCH_BYTES = 1 << 20;

/** Bytes of a thread's scratch that the expression interpreter may use for its registers. */
export const REGISTER_BYTES = 1 << 18;

/** Columns of a register tile, narrow and wide; `assembly/width.ts` agrees. Its rows are four in both. */
export const NARROW_TILE_COLUMNS = 8;
export const WIDE_TILE_COLUMNS = 16;
export const TILE_ROWS = 4;

/** Words of an encoded command: kernel, tiles, argument address, unused. */
export const COMMAND_WORDS = 4;

/** Mapped but never allocated at the end of memory: vector loads may read past the last buffer. */
export const TAIL_BYTES = PAGE_BYTES;

/** More threads than this do not pay on products of the sizes that fit wasm's 4 GiB. */
export const MAX_THREADS = 64;

/** Rounds up to a multiple of `ALIGNMENT`. */
export function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
