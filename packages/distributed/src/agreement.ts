/**
 * @file Whether all ranks mean the same call, found out before any data move. Each rank gives a few numbers, the same few bytes for
 * any number of ranks, and each gets those of all: so all come to the same verdict, and none is left waiting for the others.
 */

export const CALLS = ['allToAll', 'allGather', 'broadcast', 'barrier', 'close'] as const;
export type CallName = (typeof CALLS)[number];

/** One rank's side of a call. */
export interface Call {
  name: CallName;
  elementBytes: number;
  /** The rank that gives; 0 where all do. */
  root: number;
  /** Elements for each rank. */
  sends: readonly number[];
  /** Elements from each rank. */
  receives: readonly number[];
}

/** Numbers in a summary. */
export const SUMMARY = 4;

/** What a rank tells of its call: its name, bytes of an element, root, and its part of a sum that is 0 where all lengths agree. */
export function summaryOf({ name, elementBytes, root, sends, receives }: Call, rank: number): Int32Array {
  let sum = 0;
  for (const [to, length] of sends.entries()) sum = (sum + hash(rank, to, length)) | 0;
  for (const [from, length] of receives.entries()) sum = (sum - hash(from, rank, length)) | 0;
  return Int32Array.of(CALLS.indexOf(name), elementBytes, root, sum);
}

/**
 * What disagrees, or undefined. `lengths`: somebody sends another number of elements than is expected; `whoseLengths` tells who, and
 * needs all lengths for it.
 * @param summaries of all ranks, behind each other
 */
export function disagreement(summaries: Int32Array): { message: string } | 'lengths' | undefined {
  const nameOf = (rank: number) => CALLS[summaries[rank * SUMMARY]];
  let sum = 0;
  for (let rank = 0; rank * SUMMARY < summaries.length; rank++) {
    const [call, bytes, root, part] = summaries.subarray(rank * SUMMARY);
    if (call !== summaries[0]) return { message: `rank ${rank} calls ${nameOf(rank)} where rank 0 calls ${nameOf(0)}` };
    if (bytes !== summaries[1]) {
      return { message: `${nameOf(0)}: rank ${rank} has elements of ${bytes} bytes, rank 0 of ${summaries[1]}` };
    }
    if (root !== summaries[2]) {
      return { message: `${nameOf(0)}: rank ${rank} expects it of rank ${root}, rank 0 of rank ${summaries[2]}` };
    }
    sum = (sum + part) | 0;
  }
  return sum === 0 ? undefined : 'lengths';
}

/**
 * Who does not agree with whom.
 * @param lengths of each rank what it sends and what it receives, `[ranks, 2, ranks]`
 */
export function whoseLengths(name: CallName, lengths: ArrayLike<number>, size: number): string {
  for (let from = 0; from < size; from++) {
    for (let to = 0; to < size; to++) {
      const sent = lengths[from * 2 * size + to];
      const expected = lengths[to * 2 * size + size + from];
      if (sent === expected) continue;
      return `${name}: rank ${from} sends ${sent} elements to rank ${to}, which expects ${expected}`;
    }
  }
  return `${name}: lengths disagree`;
}

/** Mixes three numbers into 32 bits, so that sums of different lengths do not cancel (the finalizer of MurmurHash3). */
function hash(from: number, to: number, length: number): number {
  let bits = Math.imul(from + 1, 0x9e3779b1) ^ Math.imul(to + 1, 0x85ebca77) ^ Math.imul(length + 1, 0xc2b2ae3d);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
