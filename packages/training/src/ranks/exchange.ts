/** @file Tensors on their way between ranks: gradients to their owners, parameters and moments back, bucket by bucket. */
import { type Communicator, partOffsets } from '@transfusion/distributed';
import type { Variable } from '@transfusion/tensor';
import type { RankGroup, RankPlace } from './rank-group.js';
import { treeSum } from './tree-sum.js';
import { WIRES, type WireType } from './wire.js';

/** As PyTorch's DistributedDataParallel has it. */
const BUCKET_ELEMENTS = (25 * 2 ** 20) / 4;

/** Some elements of a parameter. */
export interface Slice {
  path: string;
  begin: number;
  end: number;
}

/** By owner: what travels together. */
export type Bucket = readonly (readonly Slice[])[];

type Variables = ReadonlyMap<string, Variable>;

/** By path: variables, or what is kept beside them. */
type Readable = ReadonlyMap<string, { read(begin: number, end: number): Promise<Float32Array> }>;

/**
 * All elements of all parameters, 25 MiB in a bucket: equal slices of what each rank owns, its parameters from last to first, as a
 * backward pass finishes them. So every rank sends and receives as much as any other, however large one parameter is.
 */
export function bucketsOf(
  { owners, sizes, communicator: { size } }: RankGroup<RankPlace>,
  elements = BUCKET_ELEMENTS,
): Bucket[] {
  const fromLast = [...sizes].reverse();
  const byOwner = Array.from({ length: size }, (_, rank) => {
    const owned = fromLast.filter(([path]) => owners.get(path) === rank);
    return slicesOf(owned, Math.max(1, Math.floor(elements / size)));
  });
  const count = Math.max(...byOwner.map(({ length }) => length));
  return Array.from({ length: count }, (_, i) => byOwner.map((slices) => slices[i] ?? []));
}

/** Tensors that lie behind each other, cut after every `length` elements. */
function slicesOf(tensors: readonly (readonly [path: string, size: number])[], length: number): Slice[][] {
  const all: Slice[][] = [];
  let room = 0;
  for (const [path, size] of tensors) {
    for (let begin = 0; begin < size; ) {
      if (room === 0) {
        all.push([]);
        room = length;
      }
      const end = Math.min(size, begin + room);
      all[all.length - 1].push({ path, begin, end });
      room -= end - begin;
      begin = end;
    }
  }
  return all;
}

export interface SumOptions {
  /** What follows from a sum, which is what its owner gets; the sum may be changed in place. Default: the sum. */
  follows?(sum: Float32Array, slices: readonly Slice[]): Float32Array;
  /** What others' parts are on their way. Default 'f32'. */
  wire?: WireType;
}

/** Sums that are on their way while others are still computed. */
export interface Sums {
  /** What is in the next bucket is computed. */
  ready(): void;
  /** So is all the rest: ends when every owner has its sums. */
  finish(): Promise<void>;
}

/** Replaces the tensors that this rank owns by their sums over all ranks, in the order of `treeSum`, or by what follows from them. */
export function beginSums(
  { communicator }: RankGroup,
  buckets: readonly Bucket[],
  tensors: Variables,
  { follows = (sum) => sum, wire: type = 'f32' }: SumOptions = {},
): Sums {
  const { rank, size } = communicator;
  const wire = WIRES[type];
  const lengthsOf = (slices: readonly Slice[]) => slices.map(({ begin, end }) => end - begin);
  const read = async (bucket: Bucket) => ({
    own: await readAll(bucket[rank], tensors),
    others: await readAll(bucket.with(rank, []).flat(), tensors),
  });
  const send = async (bucket: Bucket, { own, others }: Awaited<ReturnType<typeof read>>) => {
    const packedLengths = bucket.map((slices) => wire.packedLength(lengthsOf(slices))).with(rank, 0);
    const sent = wire.create(packedLengths.reduce((sum, length) => sum + length, 0));
    const places = partOffsets(packedLengths);
    let at = 0;
    for (const [owner, slices] of bucket.entries()) {
      if (owner === rank) continue;
      const values = others.subarray(at, (at += elementsOf(slices)));
      wire.pack(values, lengthsOf(slices), sent.subarray(places[owner], places[owner + 1]));
    }
    const ownLengths = lengthsOf(bucket[rank]);
    const lengths = new Array<number>(size).fill(wire.packedLength(ownLengths)).with(rank, 0);
    const offsets = partOffsets(lengths);
    const received = wire.create(offsets[size]);
    await communicator.allToAll({ array: sent, lengths: packedLengths }, { array: received, lengths });
    const parts = lengths.map((_, from) =>
      from === rank ? own : wire.unpack(received.subarray(offsets[from], offsets[from + 1]), ownLengths),
    );
    writeAll(bucket[rank], tensors, follows(treeSum(parts), bucket[rank]));
  };
  let begun = 0;
  let sending = Promise.resolve();
  const ready = () => {
    const bucket = buckets[begun++];
    const contents = read(bucket);
    sending = sending.then(async () => send(bucket, await contents));
    // Whoever waits for the end is told.
    contents.catch(() => {});
    sending.catch(() => {});
  };
  return {
    ready,
    async finish() {
      await sending;
      const rest = buckets.slice(begun);
      begun = buckets.length;
      await throughBuckets(rest, read, send);
    },
  };
}

/** Gives every rank what the others own. */
export async function shareOwned(
  { communicator }: RankGroup,
  buckets: readonly Bucket[],
  tensors: Variables,
): Promise<void> {
  await throughBuckets(
    buckets,
    (bucket) => readAll(bucket[communicator.rank], tensors),
    async (bucket, own) => {
      const lengths = bucket.map(elementsOf);
      const offsets = partOffsets(lengths);
      const all = new Float32Array(offsets[lengths.length]);
      const partOf = (rank: number) => all.subarray(offsets[rank], offsets[rank + 1]);
      // What is sent lies where it is received: it need not travel.
      partOf(communicator.rank).set(own);
      await communicator.allGather(partOf(communicator.rank), { array: all, lengths });
      for (const [owner, slices] of bucket.entries()) {
        if (owner !== communicator.rank) writeAll(slices, tensors, partOf(owner));
      }
    },
  );
}

/** Gives the first rank, and nobody else, what all own: by path. */
export async function gatherOwned(
  group: RankGroup,
  buckets: readonly Bucket[],
  owned: Readable,
): Promise<Map<string, Float32Array>> {
  const { communicator } = group;
  const { rank, size } = communicator;
  const gathered = new Map<string, Float32Array>();
  await throughBuckets(
    buckets,
    (bucket) => readAll(bucket[rank], owned),
    async (bucket, array) => {
      const none = new Array<number>(size).fill(0);
      const lengths = rank === 0 ? bucket.map(elementsOf) : none;
      const all = new Float32Array(lengths.reduce((sum, length) => sum + length, 0));
      await communicator.allToAll({ array, lengths: none.with(0, array.length) }, { array: all, lengths });
      if (rank !== 0) return;
      let offset = 0;
      for (const { path, begin, end } of bucket.flat()) {
        const whole = gathered.get(path) ?? new Float32Array(group.sizes.get(path)!);
        gathered.set(path, whole);
        whole.set(all.subarray(offset, (offset += end - begin)), begin);
      }
    },
  );
  return gathered;
}

/** Every rank's numbers, which are as many on each, in the order of ranks. */
export async function gatherNumbers(communicator: Communicator, own: Float64Array): Promise<Float64Array> {
  const { size } = communicator;
  const all = new Float64Array(own.length * size);
  await communicator.allGather(own, { array: all, lengths: new Array(size).fill(own.length) });
  return all;
}

/** While a bucket travels, the next one is read from the device. */
async function throughBuckets<Contents>(
  buckets: readonly Bucket[],
  read: (bucket: Bucket) => Promise<Contents>,
  send: (bucket: Bucket, contents: Contents) => Promise<void>,
): Promise<void> {
  let following = buckets.length > 0 ? read(buckets[0]) : undefined;
  for (const [i, bucket] of buckets.entries()) {
    const contents = await following!;
    following = i + 1 < buckets.length ? read(buckets[i + 1]) : undefined;
    // Waited for below; an error of this bucket comes first.
    following?.catch(() => {});
    await send(bucket, contents);
  }
}

/** How many elements these slices have. */
export function elementsOf(slices: readonly Slice[]): number {
  return slices.reduce((sum, { begin, end }) => sum + end - begin, 0);
}

async function readAll(slices: readonly Slice[], variables: Readable): Promise<Float32Array> {
  const contents = await Promise.all(slices.map(({ path, begin, end }) => variables.get(path)!.read(begin, end)));
  const all = new Float32Array(elementsOf(slices));
  let offset = 0;
  for (const values of contents) {
    all.set(values, offset);
    offset += values.length;
  }
  return all;
}

function writeAll(slices: readonly Slice[], variables: Variables, values: Float32Array): void {
  let offset = 0;
  for (const { path, begin, end } of slices) {
    variables.get(path)!.buffer.write(values.subarray(offset, (offset += end - begin)), begin);
  }
}
