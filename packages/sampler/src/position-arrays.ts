/** @file Where each position of a call is: the inputs that `positionSpecs` and `imagePositionSpecs` declare. */

/** i32 inputs of [batch, queries]. Positions that are not set see and store nothing. */
export class PositionArrays {
  readonly arrays: Record<'positions' | 'begin' | 'end' | 'rows', Int32Array> & { columns?: Int32Array };

  /** @param options.columns whether positions have two dimensions */
  constructor(batch: number, queries: number, { columns = false } = {}) {
    const zeros = () => new Int32Array(batch * queries);
    this.arrays = { positions: zeros(), begin: zeros(), end: zeros(), rows: zeros().fill(-1) };
    if (columns) this.arrays.columns = zeros();
  }

  set(at: number, place: { position: number; column?: number; begin: number; end: number; cacheRow: number }): void {
    this.arrays.positions[at] = place.position;
    if (this.arrays.columns) this.arrays.columns[at] = place.column ?? place.position;
    this.arrays.begin[at] = place.begin;
    this.arrays.end[at] = place.end;
    this.arrays.rows[at] = place.cacheRow;
  }
}
