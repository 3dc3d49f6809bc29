/**
 * @file The order in which the gradients of a step's micro-batches are added, which decides the bits of the sum.
 *
 * It is a tree over all micro-batches: a number that can be halved is the sum of its halves, and any other is added from left to
 * right. Ranks that each have an aligned part of the micro-batches can add that part by themselves, and the sum of their sums is
 * the same tree: one process, two ranks and four get the same bits, as long as the number of micro-batches can be halved as often.
 */

/** What a process does for the sum of its micro-batches. */
export type SumAction =
  /** Adds the gradients of the next micro-batch to the running sum. */
  | { kind: 'accumulate' }
  /** Puts the running sum aside and starts again from zero. */
  | { kind: 'keep'; level: number }
  /** Adds what was put aside to the running sum. */
  | { kind: 'add'; level: number };

export function sumActions(count: number): SumAction[] {
  const actions: SumAction[] = [];
  const sum = (count: number, level: number) => {
    if (isLeaf(count)) {
      for (let i = 0; i < count; i++) actions.push({ kind: 'accumulate' });
      return;
    }
    // Of two halves, the first is put aside while the second is added up.
    sum(count / 2, level + 1);
    actions.push({ kind: 'keep', level });
    sum(count / 2, level + 1);
    actions.push({ kind: 'add', level });
  };
  sum(count, 0);
  return actions;
}

/** How many sums are put aside at once at most. */
export function keptSums(count: number): number {
  return isLeaf(count) ? 0 : 1 + keptSums(count / 2);
}

/** The sum of `parts`, arrays of one length, in the order of `sumActions`; it is left in the first of them. */
export function treeSum(parts: readonly Float32Array[]): Float32Array {
  if (isLeaf(parts.length)) return parts.reduce(addInto);
  const half = parts.length / 2;
  return addInto(treeSum(parts.slice(0, half)), treeSum(parts.slice(half)));
}

/** Two are added from left to right either way. */
function isLeaf(count: number): boolean {
  return count % 2 === 1 || count === 2;
}

function addInto(sum: Float32Array, part: Float32Array): Float32Array {
  for (let i = 0; i < sum.length; i++) sum[i] += part[i];
  return sum;
}
