/** @file Scratch memory of each thread, at a fixed place below everything the host allocates. `src/layout.ts` agrees. */

/** Bytes each thread has for itself while it runs a tile. Contents are undefined when a tile starts. */
export const SCRATCH_BYTES: usize = 1 << 20;

/** End of the control block and of static data, where the scratch of thread 0 begins. */
export const SCRATCH_BASE: usize = 1 << 16;

/** The address of a thread's own `SCRATCH_BYTES` bytes, 64-byte aligned. */
@inline
export function scratch(thread: i32): usize {
  return SCRATCH_BASE + <usize>thread * SCRATCH_BYTES;
}

/** Integer argument word n. */
@inline
export function argI32(args: usize, n: i32): i32 {
  return load<i32>(args + (<usize>n << 2));
}

/** Float argument word n. */
@inline
export function argF32(args: usize, n: i32): f32 {
  return load<f32>(args + (<usize>n << 2));
}

/** Address argument word n. */
@inline
export function argAddress(args: usize, n: i32): usize {
  return <usize>load<u32>(args + (<usize>n << 2));
}

/** Two cache lines of each thread, below the scratch: one that is written and never read, and sixteen floats. */
const SINK_BYTES: usize = 128;
const MAX_THREADS: usize = 64;
/** Static data must end below; `scripts/build-kernels.mjs` sees to it. */
const SINKS_BASE: usize = SCRATCH_BASE - MAX_THREADS * SINK_BYTES;

/** This thread's. Every thread has an instance of its own, hence globals of its own. */
export let sink: usize = SINKS_BASE;

/** Room for the last floats of a row, this thread's. */
@inline
export function lastFloats(): usize {
  return sink + 64;
}

/** Called once by each thread. */
export function setThread(thread: i32): void {
  sink = SINKS_BASE + <usize>thread * SINK_BYTES;
}
