/** @file Latents of pictures that ranks have encoded, brought together. */
import type { Communicator } from '@transfusion/distributed';
import type { LatentDistribution } from '@transfusion/vae';
import { gatherNumbers } from '../ranks/exchange.js';

/**
 * What all ranks have, in the order of ranks. All latents are of one shape.
 * @param counts how many each rank has
 */
export async function gatherLatents(
  communicator: Communicator,
  own: readonly LatentDistribution[],
  counts: readonly number[],
): Promise<LatentDistribution[]> {
  // A rank that has none learns from the others how long they are, and whether they have deviations.
  const [first] = own;
  const said = await gatherNumbers(
    communicator,
    Float64Array.of(first?.mean.length ?? 0, first?.deviation?.length ?? 0),
  );
  const [meanLength, deviationLength] = [0, 1].map((which) => said.filter((_, i) => i % 2 === which).reduce(larger));
  const length = meanLength + deviationLength;
  const sent = new Float32Array(own.length * length);
  for (const [i, { mean, deviation }] of own.entries()) {
    sent.set(mean, i * length);
    if (deviation) sent.set(deviation, i * length + meanLength);
  }
  const total = counts.reduce((sum, count) => sum + count, 0);
  const all = new Float32Array(total * length);
  await communicator.allGather(sent, { array: all, lengths: counts.map((count) => count * length) });
  return Array.from({ length: total }, (_, i) => {
    const values = all.subarray(i * length, (i + 1) * length);
    const mean = values.slice(0, meanLength);
    return deviationLength > 0 ? { mean, deviation: values.slice(meanLength) } : { mean };
  });
}

const larger = (a: number, b: number) => Math.max(a, b);
