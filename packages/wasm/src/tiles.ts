/** @file How work is cut into tiles: by shape alone, so that results do not depend on the number of threads. */

/** A tile shorter than this is dominated by handing it out; a longer one balances badly. */
const TILE_NANOSECONDS = 20_000;

/** Work below this runs on one thread: waking another takes as long. */
const ALONE_NANOSECONDS = 40_000;

/**
 * Items per tile.
 * @param items how many there are.
 * @param nanoseconds per item, on one thread.
 * @param multiple items per tile are a multiple of this (except that one tile holds everything).
 */
export function itemsPerTile(items: number, nanoseconds: number, multiple = 1): number {
  if (items * nanoseconds <= ALONE_NANOSECONDS) return items;
  const wanted = Math.max(1, Math.round(TILE_NANOSECONDS / nanoseconds));
  return Math.min(items, Math.ceil(wanted / multiple) * multiple);
}
