/** @file What a backend is: it owns device memory, loads programs and replays them. `faults.ts` says how it refuses. */
import type { Program } from './program.js';

export type HostArray = Float32Array | Int32Array;

export interface BackendLimits {
  /** Byte alignment of buffers inside an arena; a power of two. */
  alignment: number;
  /** The most bytes one arena may have. */
  maxArenaBytes: number;
  /** The most bytes one buffer may have. */
  maxBufferBytes: number;
  /** Whether arena buffers may hold f16: read as f32, rounded to the nearest f16 when written, infinite beyond 65,504. */
  f16: boolean;
  /** The most views an elementwise or reduce expression may read (output not counted). */
  maxExpressionInputs: number;
}

/** Device memory that outlives programs: parameters, optimizer moments, caches. */
export interface DeviceBuffer {
  readonly elements: number;
  /** Copies `data` in, from element `offset` (default 0) on. Ordered with runs: a later run sees it, an earlier one does not. */
  write(data: HostArray, offset?: number): void;
  /** The contents after all runs begun before this call, in a fresh array: elements `begin` to `end`; default: all. */
  read(begin?: number, end?: number): Promise<ArrayBuffer>;
  /** Frees the memory once no run in flight needs it. Using the buffer afterwards throws BUFFER_DESTROYED. Idempotent. */
  destroy(): void;
}

/**
 * When a part of a kernel ran. A kernel may have several parts, such as packing its operands; kernels that run as one have the span
 * of their first.
 */
export interface KernelSpan {
  /** Position in `Program.kernels`. */
  kernel: number;
  /** For people: what ran. */
  part: string;
  /** Seconds since the run began. */
  start: number;
  end: number;
}

export interface ProfiledRun {
  outputs: ArrayBuffer[];
  /** In the order in which they ran. */
  spans: KernelSpan[];
  /** For people: how the times were taken. */
  clock: string;
}

/** Points of a run that somebody waits for. */
export interface RunMarks {
  /** Positions in `Program.kernels`, none before the one in front of it. */
  after: readonly number[];
  /**
   * Told when the kernels up to mark `index` have been computed, or are in the device's queue: reading a buffer from then on gives
   * what they wrote, though the run goes on.
   */
  reached(index: number): void;
}

/** A loaded program. A run writes the inputs, replays the kernels and reads the outputs; it creates nothing on the device. */
export interface Executable {
  /**
   * @param inputs one array per `input` buffer of the program, by index, of exactly its number of elements and its type.
   * @returns the outputs' contents. Runs execute in the order of the calls; a second run may be started before the
   * first one's promise is fulfilled.
   */
  run(inputs: HostArray[], marks?: RunMarks): Promise<ArrayBuffer[]>;
  /** Like `run`, one kernel at a time with its time taken: for finding out where the time goes. */
  profile(inputs: HostArray[]): Promise<ProfiledRun>;
  /** Frees everything the program holds. A run afterwards throws PROGRAM_DISPOSED. Idempotent. */
  dispose(): void;
}

export interface BackendStats {
  /** Device bytes allocated now: states, arenas, constants, inputs, staging. */
  liveBytes: number;
  liveBuffers: number;
  /** Pipelines or kernel plans built since the backend was opened. A replayed run adds none. */
  builtKernels: number;
  /** Seconds spent on building them. */
  buildSeconds: number;
  /** Bind groups created since the backend was opened (0 where there is no such thing). A replayed run adds none. */
  builtBindGroups: number;
}

export interface Backend {
  /** 'wasm', 'webgpu', ... */
  readonly name: string;
  /** One line for a person: adapter or threads, and what of it is in use. */
  readonly description: string;
  readonly limits: BackendLimits;
  /**
   * Whether what a kernel computes for one row of a batch (a row of a product, a query, an image) has the same bits however many
   * rows there are. Default: not promised.
   */
  readonly batchInvariant?: boolean;
  /** Whether a run is in the device's queue when `run` returns, and computed while the host does something else. Default: no. */
  readonly queued?: boolean;
  /** A zeroed buffer. Throws `OutOfMemoryError` before allocating what cannot fit. */
  createBuffer(elements: number): DeviceBuffer;
  /** Like `createBuffer` for each, but side by side where that helps: for buffers that the same programs use. */
  createBuffers?(sizes: readonly number[]): DeviceBuffer[];
  /** Prepares everything a run needs. `states`: one buffer per `state` storage index, created by this backend, each another. */
  load(program: Program, states: DeviceBuffer[]): Promise<Executable>;
  stats(): BackendStats;
  /** Frees all memory, ends workers or the device. Idempotent. */
  dispose(): Promise<void>;
}
