/** @file Which documents fill a row: those that are next in the walk through all epochs, for as long as they find room. */

export interface RowWalkOptions {
  /** Positions that each document takes at most. */
  lengths: ArrayLike<number>;
  /** The document at a position of the walk (see `epochWalk` of @transfusion/data). */
  at(position: number): number;
  /** Positions of a row, at least the longest document. */
  sequenceLength: number;
}

/**
 * From a row's number to the position of its first document. Rows are filled in the order of the walk and none is longer than
 * `sequenceLength`; nothing is left out or stands twice. What it returns depends on the options alone: earlier rows are counted when
 * a later one is asked for, and kept.
 */
export function rowWalk({ lengths, at, sequenceLength }: RowWalkOptions): (row: number) => number {
  const starts = [0];
  let next = 0;
  return (row) => {
    while (starts.length <= row) {
      let room = sequenceLength;
      for (let length = lengths[at(next)]; length <= room; length = lengths[at(next)]) {
        room -= length;
        next++;
      }
      starts.push(next);
    }
    return starts[row];
  };
}
