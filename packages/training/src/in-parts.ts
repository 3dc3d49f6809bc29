/** @file Long work in parts: between them signals are delivered, and memory is given back. */
import { nextTask } from '@transfusion/core';

/** Items of a part. */
const PART = 64;

export interface InPartsOptions {
  /** Told how many items are done. */
  onProgress?: (done: number) => void;
  /** Throws its reason between two parts. */
  signal?: AbortSignal;
}

/** The results of `work` on parts of `items`, one after the other. On the CPU, work takes no turn of the event loop by itself. */
export async function inParts<Item, Result>(
  items: readonly Item[],
  work: (part: readonly Item[]) => Promise<Result[]>,
  { onProgress, signal }: InPartsOptions = {},
): Promise<Result[]> {
  const results: Result[] = [];
  for (let start = 0; start < items.length; start += PART) {
    await nextTask();
    signal?.throwIfAborted();
    for (const result of await work(items.slice(start, start + PART))) results.push(result);
    onProgress?.(Math.min(items.length, start + PART));
  }
  return results;
}

/** What each of `ranks` does of `items`: whole parts, dealt out in turn, so that a part has the same items however many share them. */
export function partsOfRanks<Item>(items: readonly Item[], ranks: number): Item[][] {
  const byRank = Array.from({ length: ranks }, (): Item[] => []);
  for (let start = 0; start < items.length; start += PART) {
    byRank[(start / PART) % ranks].push(...items.slice(start, start + PART));
  }
  return byRank;
}

/** `count` of a list, evenly spread over it. */
export function spread<One>(list: readonly One[], count: number): One[] {
  const few = Math.min(count, list.length);
  return Array.from({ length: few }, (_, i) => list[Math.floor((i * list.length) / few)]);
}
