import { splitTextExamples } from './split-texts.js';

const text = (name: string, length: number) => ({ group: name, ids: new Array<number>(length).fill(1) });
const tokens = (texts: { ids: number[] }[]) => texts.reduce((sum, { ids }) => sum + ids.length, 0);

test('of few texts none is held out that is more than its share', () => {
  const books = [text('a', 10_000), text('b', 26_000)];
  expect(splitTextExamples(books, 0.02)).toEqual({ train: books, heldOut: [] });
  expect(splitTextExamples([text('only', 5)], 0.5).heldOut).toEqual([]);
});

test('of many, their share of the texts, and no more than that of the tokens', () => {
  const many = Array.from({ length: 200 }, (_, i) => text(`t${i}`, 90 + ((i * 7) % 20)));
  const { train, heldOut } = splitTextExamples(many, 0.1);
  expect(train.length + heldOut.length).toBe(200);
  expect(tokens(heldOut)).toBeLessThanOrEqual(0.1 * tokens(many));
  expect(tokens(heldOut)).toBeGreaterThan(0.08 * tokens(many));
});

test("a dataset's own split is kept", () => {
  const own = [
    { ...text('a', 10), split: 'train' as const },
    { ...text('b', 500), split: 'heldOut' as const },
  ];
  expect(splitTextExamples(own, 0.02)).toEqual({ train: [own[0]], heldOut: [own[1]] });
});
