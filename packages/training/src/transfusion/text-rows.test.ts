import fc from 'fast-check';
import { textRows, textRowsAmong } from './text-rows.js';

const special = { bos: 100, eos: 101 };

test('short texts share a row, long ones are cut with one token of overlap', () => {
  const layout = { sequenceLength: 6, special };
  expect(textRows([[1], [2, 3], [4, 5, 6, 7, 8]], layout)).toEqual([
    [[100, 1, 101]],
    [[100, 2, 3, 101]],
    [[100, 4, 5, 6, 7, 8]],
    [[8, 101]],
  ]);
  expect(textRows([[1], [2]], layout)).toEqual([
    [
      [100, 1, 101],
      [100, 2, 101],
    ],
  ]);
  expect(textRows([[]], layout)).toEqual([[[100, 101]]]);
});

test('no piece is longer than the positions that the model can tell apart', () => {
  const layout = { sequenceLength: 8, maxPositions: 4, special };
  expect(textRows([[1, 2, 3, 4]], layout)).toEqual([
    [
      [100, 1, 2, 3],
      [3, 4, 101],
    ],
  ]);
});

test('every step from a token to the next is in the rows once, and no row is too long', () => {
  const ids = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 40 });
  fc.assert(
    fc.property(
      fc.array(ids, { minLength: 1, maxLength: 10 }),
      fc.integer({ min: 2, max: 12 }),
      (texts, sequenceLength) => {
        const rows = textRows(texts, { sequenceLength, special });
        const steps = (all: (readonly number[])[]) =>
          all.flatMap((piece) => piece.slice(1).map((id, i) => `${piece[i]} ${id}`));
        expect(steps(rows.flat())).toEqual(steps(texts.map((text) => [100, ...text, 101])));
        for (const row of rows)
          expect(row.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(sequenceLength);
      },
    ),
  );
});

test('the share of text rows is exact and even', () => {
  for (const share of [0, 0.1, 0.3, 0.5, 0.75, 1]) {
    expect(textRowsAmong(1000, share)).toBe(1000 * share);
    const batches = Array.from(
      { length: 50 },
      (_, i) => textRowsAmong(16 * (i + 1), share) - textRowsAmong(16 * i, share),
    );
    expect(Math.max(...batches) - Math.min(...batches)).toBeLessThanOrEqual(1);
  }
});
