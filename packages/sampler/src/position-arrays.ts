/** @file Where each position of a call is: the inputs that `positionSpecs` declares. */

/** i32 inputs of [batch, queries]. Positions that are not set see and store nothing. */
export class PositionArrays {
  readonly arrays: Record<'positions' | 'begin' | 'end' | 'rows', Int32Array>;

  constructor(batch: number, queries: number) {
    const zeros = () => new Int32Array(batch * queries);
    this.arrays = { positions: zeros(), begin: zeros(), end: zeros(), rows: zeros().fill(-1) };
  }

  set(at: number, place: { position: number; begin: number; end: number; cacheRow: number }): void {
    this.arrays.positions[at] = place.position;
    this.arrays.begin[at] = place.begin;
    this.arrays.end[at] = place.end;
    this.arrays.rows[at] = place.cacheRow;
  }
}
