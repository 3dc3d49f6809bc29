/** @file What processes that train one model together say to each other: the collectives of MPI that training needs. */

/** Elements that travel as they are. */
export type Elements = Float32Array | Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;

/**
 * A group of ranks: processes that each run the same program. Every rank makes the same calls in the same order; a call ends when
 * all ranks have made it. One call at a time is under way: further ones wait their turn. Arrays are neither copied nor kept: they
 * are the caller's again when the promise ends.
 */
export interface Communicator {
  /** The number of this process, from 0. */
  readonly rank: number;
  /** How many there are. */
  readonly size: number;
  /** The number of this process among those of its machine, from 0. */
  readonly localRank: number;
  /** How many share this machine. */
  readonly localSize: number;
  /** What it runs on, for people: `MPICH 4.0.2`. */
  readonly description: string;
  /**
   * Gives part `i` of `send` to rank `i`, and gets one part from each.
   * @throws TransfusionError DISTRIBUTED_SHAPE before anything is sent; DISTRIBUTED_RANK_LOST: a rank did not make the call in time
   */
  allToAll<Array extends Elements>(send: Parts<Array>, receive: Parts<Array>): Promise<void>;
  /** Gives `send` to every rank, and gets one part from each, in the order of ranks. @throws as `allToAll` */
  allGather<Array extends Elements>(send: Array, receive: Parts<Array>): Promise<void>;
  /** Fills `values` with those of the rank `from`. @throws as `allToAll` */
  broadcast(values: Elements, from: number): Promise<void>;
  /**
   * Ends when all ranks are here.
   * @param options `patient`: however long the others take, as long as they live
   * @throws as `allToAll`
   */
  barrier(options?: { patient?: boolean }): Promise<void>;
  /** The last call, of every rank. */
  close(): Promise<void>;
}

export interface Parts<Array extends Elements = Elements> {
  array: Array;
  /** Elements for, or from, each rank. */
  lengths: readonly number[];
}

/** Where the part of each rank starts, and at the end where the last one ends. */
export function partOffsets(lengths: readonly number[]): number[] {
  let end = 0;
  return [0, ...lengths.map((length) => (end += length))];
}
