/** @file The ranks that train one model together: who owns which parameter, and who computes which micro-batches. */
import { TransfusionError } from '@transfusion/core';
import type { Communicator } from '@transfusion/distributed';
import { isParameterSpec, type ParameterSpec } from '@transfusion/nn';
import { flattenTree, sizeOf } from '@transfusion/tensor';
import type { Phase } from '../objective.js';
import type { StateShare } from '../train-state.js';
import { assignOwners } from './owners.js';

/** Which of how many ranks. */
export type RankPlace = Pick<Communicator, 'rank' | 'size'>;

export interface RankGroup<Place extends RankPlace = Communicator> {
  communicator: Place;
  /** The rank that keeps moments and average of each parameter, by path in the order of the parameters. */
  owners: ReadonlyMap<string, number>;
  /** Elements of each parameter. */
  sizes: ReadonlyMap<string, number>;
}

/** @throws TransfusionError RANKS_OBJECTIVE: the objective has state that ranks would have to agree on in other ways */
export function rankGroup<Place extends RankPlace>(communicator: Place, phases: readonly Phase[]): RankGroup<Place> {
  const other = phases.find(({ objective }) => objective.discriminator || objective.counters);
  if (other) {
    const what = other.objective.discriminator ? 'a discriminator' : 'a codebook';
    throw new TransfusionError({
      code: 'RANKS_OBJECTIVE',
      message: `${communicator.size} ranks cannot share the training of ${what}`,
      fix: other.objective.discriminator
        ? 'train without it (--set loss.adversarial=0), or in one process'
        : 'train in one process',
    });
  }
  const specs = flattenTree<ParameterSpec>(phases[0].objective.parameters, isParameterSpec);
  const sizes = new Map([...specs].map(([path, { shape }]) => [path, sizeOf(shape)]));
  return { communicator, sizes, owners: assignOwners(sizes, communicator.size) };
}

/** What of the state this rank has: the first one keeps all averages, to draw samples from. */
export function shareOf({ communicator: { rank }, owners }: RankGroup<RankPlace>): StateShare {
  return { owns: (path) => owners.get(path) === rank, averages: rank === 0 ? 'all' : 'owned' };
}

/** A part of the micro-batches of a step. */
export interface MicroBatches {
  first: number;
  count: number;
}

/**
 * The micro-batches of a rank: as many as of any other, and aligned, so that their sum is a branch of the whole sum.
 * @throws TransfusionError RANKS_BATCHES
 */
export function microBatchesOf(accumulation: number, { rank, size }: RankPlace): MicroBatches {
  const count = accumulation / size;
  if (Number.isInteger(count)) return { first: rank * count, count };
  const fitting = Math.ceil(accumulation / size) * size;
  throw new TransfusionError({
    code: 'RANKS_BATCHES',
    message: `${size} ranks cannot share ${accumulation} micro-batch${accumulation === 1 ? '' : 'es'} of a step evenly`,
    fix: `take a multiple of ${size}: --set batch.accumulation=${fitting}, with fewer rows in each micro-batch (batch.rows) for as large a step; or ask for another number of ranks`,
  });
}
