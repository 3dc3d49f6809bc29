/** @file The same of DiLoCo (arXiv 2311.08105): each rank trains by itself for H steps, then parameters are averaged. */
import { keptSums } from '../ranks/tree-sum.js';
import { STATE_BYTES, totalOf } from './rank-memory.js';

export interface DilocoOptions {
  /** Elements of each parameter. */
  tensors: ReadonlyMap<string, number>;
  ranks: number;
  /** Inner steps between two exchanges (H). */
  innerSteps: number;
  /** Micro-batches of an inner step of one rank. */
  microBatches: number;
  /** Of a micro-batch's program. */
  arenaBytes: number;
  linkBytesPerSecond: number;
}

export interface DilocoCost {
  /**
   * On the device of one rank: parameters, moments, average and gradients of everything, since nothing is shared between exchanges; and
   * scratch memory.
   */
  deviceBytes: number;
  /** On its host: the parameters of the last exchange, and the part of the outer momentum that it owns. */
  hostBytes: number;
  /** Sent, and received, by each rank at an exchange. */
  exchangeBytes: number;
  /** Of that, per step. */
  bytesPerStep: number;
  /** Of an exchange, per step. */
  secondsPerStep: number;
}

/** An exchange is that of a step of data-parallel training, of differences of parameters; there are 1/H as many. */
export function dilocoCost(options: DilocoOptions): DilocoCost {
  const { tensors, ranks, innerSteps, microBatches, arenaBytes, linkBytesPerSecond } = options;
  const elements = totalOf(tensors);
  const sums = microBatches === 1 ? 0 : 1 + keptSums(microBatches);
  const exchangeBytes = (2 * STATE_BYTES * elements * (ranks - 1)) / ranks;
  return {
    deviceBytes: (4 + sums) * STATE_BYTES * elements + arenaBytes,
    hostBytes: STATE_BYTES * elements * (1 + 1 / ranks),
    exchangeBytes,
    bytesPerStep: exchangeBytes / innerSteps,
    secondsPerStep: exchangeBytes / linkBytesPerSecond / innerSteps,
  };
}
