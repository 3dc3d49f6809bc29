import { decodePng, type RgbImage, toBytes } from '@transfusion/data';
import { comparisonGrid } from './comparison-grid.js';

const SIDE = 4;

/** Of one gray. */
const picture = (gray: number): RgbImage => {
  return { width: SIDE, height: SIDE, data: new Float32Array(SIDE * SIDE * 3).fill(gray / 127.5 - 1) };
};

/** The gray of each cell, row by row; a cell that is not all of one gray is NaN. */
function cellsOf(png: Uint8Array, { columns, side, gap = 4 }: { columns: number; side: number; gap?: number }) {
  const { width, height, data } = decodePng(png);
  const bytes = toBytes(data);
  const rows = (height - gap) / (side + gap);
  expect([width, Number.isInteger(rows)]).toEqual([columns * (side + gap) + gap, true]);
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => {
      const [left, top] = [column, row].map((at) => gap + at * (side + gap));
      const values = new Set<number>();
      for (let y = top; y < top + side; y++) {
        for (const value of bytes.subarray((y * width + left) * 3, (y * width + left + side) * 3)) values.add(value);
      }
      return values.size === 1 ? [...values][0] : Number.NaN;
    }),
  );
}

test('one row of pictures above one of what belongs to each, enlarged to about the side asked for', () => {
  const png = comparisonGrid([10, 20, 30].map(picture), [110, 120, 130].map(picture), 13);
  expect(cellsOf(png, { columns: 3, side: 12 })).toEqual([
    [10, 20, 30],
    [110, 120, 130],
  ]);
});

test('rows of eight; the last is filled up with white', () => {
  const grays = Array.from({ length: 10 }, (_, i) => 10 * i);
  const png = comparisonGrid(
    grays.map(picture),
    grays.map((gray) => picture(gray + 100)),
  );
  const white = new Array<number>(6).fill(255);
  expect(cellsOf(png, { columns: 8, side: 72 })).toEqual([
    grays.slice(0, 8),
    grays.slice(0, 8).map((gray) => gray + 100),
    [80, 90, ...white],
    [180, 190, ...white],
  ]);
});

test('large pictures stay as they are', () => {
  const png = comparisonGrid([picture(7)], [picture(9)], 1);
  expect(cellsOf(png, { columns: 1, side: SIDE })).toEqual([[7], [9]]);
});
