/** @file The merges of a BPE model, applied to the symbols of a word. */

/** What two neighbours become, and how soon. */
export interface Merge {
  rank: number;
  id: number;
}

const EMPTY = -1;

/** A hash table with open addressing: a large model has half a million merges, and every pair of a word is looked up. */
export class MergeTable {
  readonly #mask: number;
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #slots: Int32Array;
  readonly #merges: Merge[] = [];

  /** @param capacity most merges that it will hold */
  constructor(capacity: number) {
    const size = 2 ** Math.ceil(Math.log2(2 * capacity + 2));
    this.#mask = size - 1;
    this.#left = new Int32Array(size);
    this.#right = new Int32Array(size);
    this.#slots = new Int32Array(size).fill(EMPTY);
  }

  set(left: number, right: number, merge: Merge): void {
    const slot = this.#find(left, right);
    this.#left[slot] = left;
    this.#right[slot] = right;
    this.#slots[slot] = this.#merges.push(merge) - 1;
  }

  get(left: number, right: number): Merge | undefined {
    const index = this.#slots[this.#find(left, right)];
    return index === EMPTY ? undefined : this.#merges[index];
  }

  /** Where a pair is, or would be. */
  #find(left: number, right: number): number {
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    hash ^= hash >>> 15;
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      if (this.#slots[slot] === EMPTY || (this.#left[slot] === left && this.#right[slot] === right)) return slot;
    }
  }
}

interface Candidate extends Merge {
  position: number;
}

/** Lowest rank first, then leftmost. */
function precedes(a: Candidate, b: Candidate): boolean {
  return a.rank !== b.rank ? a.rank < b.rank : a.position < b.position;
}

/** A binary heap of merges that may be done. */
class CandidateHeap {
  readonly #heap: Candidate[] = [];

  push(candidate: Candidate): void {
    const heap = this.#heap;
    let child = heap.push(candidate) - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!precedes(candidate, heap[parent])) break;
      heap[child] = heap[parent];
      child = parent;
    }
    heap[child] = candidate;
  }

  pop(): Candidate | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let parent = 0;
    for (let child = 1; child < heap.length; child = 2 * parent + 1) {
      if (child + 1 < heap.length && precedes(heap[child + 1], heap[child])) child++;
      if (!precedes(heap[child], last)) break;
      heap[parent] = heap[child];
      parent = child;
    }
    heap[parent] = last;
    return top;
  }
}

/** Merges neighbours, the most frequent of the training first, until none has a merge. */
export function applyMerges(symbols: number[], merges: MergeTable): number[] {
  if (symbols.length < 2) return symbols;
  const ids = Int32Array.from(symbols);
  const next = ids.map((_, i) => (i + 1 < ids.length ? i + 1 : -1));
  const previous = ids.map((_, i) => i - 1);
  const heap = new CandidateHeap();
  const consider = (position: number) => {
    const merge = position >= 0 && next[position] >= 0 ? merges.get(ids[position], ids[next[position]]) : undefined;
    if (merge) heap.push({ rank: merge.rank, id: merge.id, position });
  };
  for (let i = 0; i + 1 < ids.length; i++) consider(i);
  for (let top = heap.pop(); top; top = heap.pop()) {
    const { position, id } = top;
    const right = next[position];
    // A neighbour may have changed since, or the symbol itself be gone.
    if (right < 0 || merges.get(ids[position], ids[right])?.id !== id) continue;
    ids[position] = id;
    ids[right] = -1;
    next[position] = next[right];
    if (next[right] >= 0) previous[next[right]] = position;
    next[right] = -1;
    consider(previous[position]);
    consider(position);
  }
  return Array.from(ids).filter((id) => id >= 0);
}
