/** @file Features: a row of numbers for each picture or text, as a network gives them. */
import { mismatch, unmeasurable } from './errors.js';

export interface Features {
  /** Rows. */
  count: number;
  /** Numbers in a row. */
  dimensions: number;
  /** [count, dimensions] */
  data: Float32Array | Float64Array;
}

/** @throws TransfusionError EVALUATION_MISMATCH: rows of different lengths; EVALUATION_VALUE: no rows, a value that is not finite */
export function featuresOf(rows: readonly ArrayLike<number>[]): Features {
  const [count, dimensions] = [rows.length, rows[0]?.length ?? 0];
  const data = new Float64Array(count * dimensions);
  for (const [i, row] of rows.entries()) {
    if (row.length !== dimensions) {
      throw mismatch(`featuresOf: row 0 has ${dimensions} numbers, row ${i} has ${row.length}`);
    }
    data.set(row, i * dimensions);
  }
  const features = { count, dimensions, data };
  checkFeatures('featuresOf', features);
  return features;
}

/** @param least fewest rows that there must be */
export function checkFeatures(name: string, features: Features, least = 1): void {
  const { count, dimensions, data } = features;
  if (!(Number.isInteger(count) && count >= least)) {
    throw unmeasurable(`${name} has ${count} rows, expected ${least} or more`);
  }
  if (!(Number.isInteger(dimensions) && dimensions >= 1)) {
    throw unmeasurable(`${name} has rows of ${dimensions} numbers, expected 1 or more`);
  }
  if (data.length !== count * dimensions) {
    throw mismatch(`${name} has ${data.length} numbers, expected [${count}, ${dimensions}] = ${count * dimensions}`);
  }
  const wrong = data.findIndex((value) => !Number.isFinite(value));
  if (wrong < 0) return;
  throw unmeasurable(
    `${name}: row ${Math.floor(wrong / dimensions)}, number ${wrong % dimensions} is ${data[wrong]}`,
    'find the picture or text that it comes from: a network that gives such values is broken, or its precision too low',
  );
}

/** Two sets of rows of one network. */
export function checkAlike(name: string, a: { dimensions: number }, b: { dimensions: number }): void {
  if (a.dimensions === b.dimensions) return;
  throw mismatch(
    `${name}: the rows have ${a.dimensions} and ${b.dimensions} numbers`,
    'compare features of one network and one of its layers',
  );
}

/** Of row i of `a` and row j of `b`. */
export function dot(a: Features, i: number, b: Features, j: number): number {
  const { dimensions } = a;
  const [left, right] = [i * dimensions, j * dimensions];
  let sum = 0;
  for (let d = 0; d < dimensions; d++) sum += a.data[left + d] * b.data[right + d];
  return sum;
}

/** Between row i of `a` and row j of `b`, Euclidean. */
export function squaredDistance(a: Features, i: number, b: Features, j: number): number {
  const { dimensions } = a;
  const [left, right] = [i * dimensions, j * dimensions];
  let sum = 0;
  for (let d = 0; d < dimensions; d++) {
    const difference = a.data[left + d] - b.data[right + d];
    sum += difference * difference;
  }
  return sum;
}

/** Every row divided by its length. */
export function unitRows(name: string, { count, dimensions, data }: Features): Features {
  const unit = Float64Array.from(data);
  for (let i = 0; i < count; i++) {
    const row = unit.subarray(i * dimensions, (i + 1) * dimensions);
    // The largest first, so that no square overflows.
    const most = row.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    if (most === 0) throw unmeasurable(`${name}: row ${i} is all zeros, which has no direction for a cosine`);
    const length = most * Math.sqrt(row.reduce((sum, value) => sum + (value / most) ** 2, 0));
    for (let d = 0; d < dimensions; d++) row[d] /= length;
  }
  return { count, dimensions, data: unit };
}
