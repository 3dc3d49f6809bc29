/** @file Places buffers in arenas so that those that live at the same time do not overlap. */
import type { BackendLimits } from '../program/backend.js';
import { bufferTooLarge } from '../program/faults.js';

export interface Lifetime {
  bytes: number;
  /** First and last kernel (inclusive) during which the contents matter. */
  first: number;
  last: number;
  name: string;
}

export interface Placement {
  arena: number;
  byteOffset: number;
}

export interface MemoryPlan {
  placements: Placement[];
  arenaBytes: number[];
  /** The largest sum of buffers that live at the same time. */
  liveBytes: number;
}

/** Greedy by size (Pisarchyk and Lee 2020): the largest buffer first, each at the lowest free offset. */
export function planMemory(lifetimes: readonly Lifetime[], limits: BackendLimits): MemoryPlan {
  const align = (bytes: number) => Math.ceil(bytes / limits.alignment) * limits.alignment;
  const placements = new Array<Placement>(lifetimes.length);
  const arenas: { start: number; end: number; index: number }[][] = [];
  const order = lifetimes.map((_, index) => index).sort((a, b) => lifetimes[b].bytes - lifetimes[a].bytes || a - b);
  for (const index of order) {
    const { bytes, first, last, name } = lifetimes[index];
    const size = align(bytes);
    if (bytes > limits.maxBufferBytes || size > limits.maxArenaBytes) {
      const limitBytes = Math.min(limits.maxBufferBytes, limits.maxArenaBytes);
      throw bufferTooLarge({ what: `'${name}'`, bytes, limitBytes });
    }
    for (let arena = 0; ; arena++) {
      arenas[arena] ??= [];
      const live = arenas[arena].filter(
        (other) => lifetimes[other.index].first <= last && first <= lifetimes[other.index].last,
      );
      const start = lowestGap(live, size);
      if (start + size > limits.maxArenaBytes) continue;
      arenas[arena].push({ start, end: start + size, index });
      placements[index] = { arena, byteOffset: start };
      break;
    }
  }
  const arenaBytes = arenas.map((arena) => Math.max(...arena.map(({ end }) => end)));
  return { placements, arenaBytes, liveBytes: largestLive(lifetimes) };
}

function largestLive(lifetimes: readonly Lifetime[]): number {
  const changes: number[] = [];
  for (const { bytes, first, last } of lifetimes) {
    changes[first] = (changes[first] ?? 0) + bytes;
    changes[last + 1] = (changes[last + 1] ?? 0) - bytes;
  }
  let live = 0;
  let largest = 0;
  for (const change of changes) {
    live += change ?? 0;
    largest = Math.max(largest, live);
  }
  return largest;
}

function lowestGap(live: { start: number; end: number }[], size: number): number {
  live.sort((a, b) => a.start - b.start);
  let position = 0;
  for (const { start, end } of live) {
    if (position + size <= start) return position;
    position = Math.max(position, end);
  }
  return position;
}
