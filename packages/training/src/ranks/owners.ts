/** @file Which rank keeps the moments and the average of which tensor. */
import { TransfusionError } from '@transfusion/core';

/**
 * Gives every tensor to one rank, whole, so that loads are as equal as whole tensors allow: the largest tensor first, each to the rank
 * that has least so far, the lowest of equals; tensors of one size in the order of their names. A function of the contents of `tensors`
 * alone, so all ranks find the same. The most loaded rank has at most the mean and (ranks - 1) / ranks of the largest tensor, and
 * at most 4/3 - 1/(3 ranks) of the best that is possible (Graham 1969, "Bounds on multiprocessing timing anomalies").
 * @param tensors sizes by name, in elements or bytes
 * @param ranks from 1; where there are more ranks than tensors some own none
 * @returns the owner, from 0, of each tensor, in the order of `tensors`
 * @throws TransfusionError SCALE_INVALID: no whole number of ranks, a size below zero or not finite
 */
export function assignOwners(tensors: ReadonlyMap<string, number>, ranks: number): Map<string, number> {
  if (!Number.isSafeInteger(ranks) || ranks < 1)
    throw invalid(`${ranks} ranks`, 'give a whole number of ranks, from 1');
  for (const [name, size] of tensors) {
    if (!(Number.isFinite(size) && size >= 0)) throw invalid(`${name} has a size of ${size}`, 'give sizes from 0');
  }
  const loads = new Array<number>(ranks).fill(0);
  const owners = new Map<string, number>([...tensors.keys()].map((name) => [name, 0]));
  for (const [name, size] of [...tensors].sort(bySizeThenName)) {
    const owner = loads.indexOf(Math.min(...loads));
    loads[owner] += size;
    owners.set(name, owner);
  }
  return owners;
}

/** What each rank has of `tensors`, by rank, in their unit. */
export function ownedLoads(
  tensors: ReadonlyMap<string, number>,
  owners: ReadonlyMap<string, number>,
  ranks: number,
): number[] {
  const loads = new Array<number>(ranks).fill(0);
  for (const [name, size] of tensors) loads[owners.get(name) ?? 0] += size;
  return loads;
}

type Sized = readonly [name: string, size: number];

function bySizeThenName([a, sizeOfA]: Sized, [b, sizeOfB]: Sized): number {
  return sizeOfB - sizeOfA || (a < b ? -1 : 1);
}

function invalid(message: string, fix: string): TransfusionError {
  return new TransfusionError({ code: 'SCALE_INVALID', message, fix });
}
