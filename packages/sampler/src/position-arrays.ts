/** @file Where each position of a call is: the inputs that `positionSpecs` and `imagePositionSpecs` declare. */

/** Where one position is, what it sees (rows of the cache, [begin, end)) and which row is its own. */
export interface Place {
  position: number;
  column?: number;
  begin: number;
  end: number;
  cacheRow: number;
}

/** Of an image's patches, in order. */
export type ImagePlaces = readonly Place[];

/** i32 inputs of [batch, queries]. Positions that are not set see and store nothing. */
export class PositionArrays {
  readonly arrays: Record<'positions' | 'begin' | 'end' | 'rows', Int32Array> & { columns?: Int32Array };

  /** @param sequences the places of each sequence, from its first query on; they have columns where positions are in two dimensions */
  constructor(batch: number, queries: number, sequences: readonly (readonly Place[])[]) {
    const zeros = () => new Int32Array(batch * queries);
    this.arrays = { positions: zeros(), begin: zeros(), end: zeros(), rows: zeros().fill(-1) };
    if (sequences[0]?.[0]?.column !== undefined) this.arrays.columns = zeros();
    sequences.forEach((places, row) => {
      places.forEach((place, i) => {
        this.#set(row * queries + i, place);
      });
    });
  }

  #set(at: number, place: Place): void {
    this.arrays.positions[at] = place.position;
    if (this.arrays.columns) this.arrays.columns[at] = place.column!;
    this.arrays.begin[at] = place.begin;
    this.arrays.end[at] = place.end;
    this.arrays.rows[at] = place.cacheRow;
  }
}
