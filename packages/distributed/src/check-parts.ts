/** @file What is wrong with the arguments of a collective, said before anything is sent. */
import { TransfusionError } from '@transfusion/core';
import type { Elements, Parts } from './communicator.js';

/** @throws TransfusionError DISTRIBUTED_SHAPE */
export function checkParts(what: string, { array, lengths }: Parts, size: number): void {
  const expected = `${what} has ${lengths.length} parts, and there are ${size} ranks`;
  if (lengths.length !== size) throw misshapen(expected);
  const bad = lengths.findIndex((length) => !Number.isSafeInteger(length) || length < 0);
  if (bad >= 0) throw misshapen(`${what}: the part of rank ${bad} has ${lengths[bad]} elements`);
  const sum = lengths.reduce((total, length) => total + length, 0);
  if (sum !== array.length) throw misshapen(`${what} has ${array.length} elements, its parts have ${sum}`);
}

/** @throws TransfusionError DISTRIBUTED_SHAPE */
export function checkRank(what: string, rank: number, size: number): void {
  if (Number.isInteger(rank) && rank >= 0 && rank < size) return;
  throw misshapen(`${what} is rank ${rank}, and there are ${size} ranks, from 0`);
}

/**
 * What is sent may not be overwritten by what comes.
 * @throws TransfusionError DISTRIBUTED_SHAPE
 */
export function checkApart(send: Elements, receive: Elements): void {
  if (send.buffer !== receive.buffer) return;
  const ends = [send, receive].map(({ byteOffset, byteLength }) => byteOffset + byteLength);
  if (send.byteOffset >= ends[1] || receive.byteOffset >= ends[0]) return;
  throw misshapen(
    'what is sent and what is received overlap',
    "use two arrays; allGather may give a rank's own part of what it receives",
  );
}

export function misshapen(
  message: string,
  fix = 'give every rank the same plan: lengths of the parts that add up to the array',
): TransfusionError {
  return new TransfusionError({ code: 'DISTRIBUTED_SHAPE', message, fix });
}
