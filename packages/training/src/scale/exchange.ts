/** @file What travels between ranks in a step, from sizes alone: bytes, and how long it takes on links of a given speed. */
import { bucketsOf, elementsOf } from '../ranks/exchange.js';
import { assignOwners } from '../ranks/owners.js';
import { STATE_BYTES } from './rank-memory.js';

/** Elements that travel together, by owner. */
export type BucketLoads = readonly number[];

export interface ExchangeOptions {
  /** Elements of each parameter. */
  tensors: ReadonlyMap<string, number>;
  ranks: number;
  /** Of a gradient on its way: 4, or 2 with `exchange=f16`. Parameters are f32. */
  gradientBytes: 2 | 4;
  /** Elements of a bucket: see `bucketsOf`. */
  bucketElements?: number;
}

export function bucketLoads({ tensors, ranks, bucketElements }: Omit<ExchangeOptions, 'gradientBytes'>): BucketLoads[] {
  const group = { communicator: { rank: 0, size: ranks }, owners: assignOwners(tensors, ranks), sizes: tensors };
  return bucketsOf(group, bucketElements).map((bucket) => bucket.map(elementsOf));
}

/** What the busiest rank sends, and the busiest receives, in a step: gradients to their owners, and parameters back. In bytes. */
export interface StepTraffic {
  gradients: { sentBytes: number; receivedBytes: number };
  parameters: { sentBytes: number; receivedBytes: number };
}

/**
 * Of gradients each rank sends what others own, once: bytes (R - 1) / R where loads are equal; and the owner receives R - 1 copies of its
 * part. Of parameters it is the other way round. That is what a reduce-scatter and an all-gather move.
 */
export function stepTraffic({ tensors, ranks, gradientBytes }: ExchangeOptions): StepTraffic {
  const loads = new Array<number>(ranks).fill(0);
  for (const [name, owner] of assignOwners(tensors, ranks)) loads[owner] += tensors.get(name)!;
  const total = loads.reduce((sum, load) => sum + load, 0);
  const others = total - Math.min(...loads);
  const copies = (ranks - 1) * Math.max(...loads);
  return {
    gradients: { sentBytes: gradientBytes * others, receivedBytes: gradientBytes * copies },
    parameters: { sentBytes: STATE_BYTES * copies, receivedBytes: STATE_BYTES * others },
  };
}

/**
 * Seconds in which all buckets travel, one after the other, gradients one way or parameters the other. A bucket is
 * there when its busiest rank is done: that which sends or receives most, on a link that does both at once. Of `linkBytesPerSecond`
 * each rank has its own, each way; every message between two ranks costs `latencySeconds`.
 */
export function exchangeSeconds(
  options: Omit<ExchangeOptions, 'gradientBytes'> & { bytesPerElement: 2 | 4 },
  link: { linkBytesPerSecond: number; latencySeconds: number },
): number {
  const { ranks, bytesPerElement } = options;
  if (ranks === 1) return 0;
  return bucketLoads(options).reduce((seconds, loads) => {
    const total = loads.reduce((sum, load) => sum + load, 0);
    const most = Math.max(total - Math.min(...loads), (ranks - 1) * Math.max(...loads));
    return seconds + (bytesPerElement * most) / link.linkBytesPerSecond + (ranks - 1) * link.latencySeconds;
  }, 0);
}

/** Host memory of the busiest rank while a bucket of gradients travels, in bytes: what it sends (and the next one), and a copy from each. */
export function exchangeHostBytes(options: Omit<ExchangeOptions, 'gradientBytes'>): {
  bytes: number;
  elementsReceived: number;
} {
  let [bytes, elementsReceived] = [0, 0];
  for (const loads of bucketLoads(options)) {
    const total = loads.reduce((sum, load) => sum + load, 0);
    const received = options.ranks * Math.max(...loads);
    bytes = Math.max(bytes, 4 * (2 * total + received));
    elementsReceived = Math.max(elementsReceived, received);
  }
  return { bytes, elementsReceived };
}
