/** @file The memory of each rank of a run that shares its moments (ZeRO-1 by whole tensors), from sizes alone. */

import { assignOwners, ownedLoads } from '../ranks/owners.js';
import { keptSums } from '../ranks/tree-sum.js';

/** Parameters, gradients, moments and averages are f32, whatever products compute in. */
export const STATE_BYTES = 4;

/** What one rank holds on its device, in bytes. */
export interface RankMemory {
  rank: number;
  /** All parameters. */
  parameterBytes: number;
  /** The sum of the gradients of all parameters, and sums that are put aside while others are added up: see `keptSums`. */
  gradientBytes: number;
  /** m and v of the parameters that it owns. */
  momentBytes: number;
  /** Moving averages of what it owns; the first rank has all, to draw samples and to save the model. */
  averageBytes: number;
  /** Activations and whatever else a micro-batch needs. */
  arenaBytes: number;
  /** All of these. */
  totalBytes: number;
}

export interface RankMemoryOptions {
  /** Elements of each parameter. */
  tensors: ReadonlyMap<string, number>;
  ranks: number;
  /** Micro-batches of a step on each rank. */
  microBatches: number;
  /** Of a micro-batch's program. */
  arenaBytes: number;
  /** Who has the moving average of a parameter: its owner, or beside the owners the first rank those of all. Default 'first-rank'. */
  averages?: 'owners' | 'first-rank';
}

/** By rank. One rank alone owns everything: that is training without others. */
export function rankMemories(options: RankMemoryOptions): RankMemory[] {
  const { tensors, ranks, microBatches, arenaBytes, averages = 'first-rank' } = options;
  const parameterBytes = STATE_BYTES * totalOf(tensors);
  // Alone, one micro-batch is a whole step: its gradients live in scratch memory.
  const sums = ranks === 1 && microBatches === 1 ? 0 : 1 + keptSums(microBatches);
  return ownedLoads(tensors, assignOwners(tensors, ranks), ranks).map((owned, rank) => {
    const parts = {
      parameterBytes,
      gradientBytes: sums * parameterBytes,
      momentBytes: 2 * STATE_BYTES * owned,
      averageBytes: rank === 0 && averages === 'first-rank' ? parameterBytes : STATE_BYTES * owned,
      arenaBytes,
    };
    return { rank, ...parts, totalBytes: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) };
  });
}

export function totalOf(tensors: ReadonlyMap<string, number>): number {
  return [...tensors.values()].reduce((sum, elements) => sum + elements, 0);
}
