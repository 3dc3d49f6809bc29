import { viewOf } from '@transfusion/data';
import { pictureViews } from './picture-views.js';

const picture = (value: number, name = `picture ${value}`) => ({
  ...{ name, width: 4, height: 2 },
  pixels: Uint8Array.from({ length: 24 }, (_, i) => (value * i) % 256),
});
const [a, b, c, d] = [7, 11, 13, 17].map((value) => picture(value));
const image = (of: typeof a, role?: 'context' | 'target', isExact?: boolean) => ({
  ...{ kind: 'image' as const, width: of.width, height: of.height, pixels: of.pixels, role },
  ...(isExact && { isExact }),
});
const documents = [
  { name: 'one', parts: [image(a, 'context'), { kind: 'text' as const }, image(c)] },
  { name: 'two', parts: [image(b, 'context'), image(c, 'target')] },
  { name: 'three', parts: [image(d, 'context', true)] },
];

test('so many of each that is read: what has a caption, and what a document gives', () => {
  const { pictures, rangeOf } = pictureViews({ examples: [a], documents, count: 3 });
  expect(pictures.map(({ name, width, height }) => [name, width, height])).toEqual([
    ...[1, 2, 3].map((number) => [`picture 7, view ${number}`, 4, 2]),
    ...[1, 2, 3].map((number) => [`two, view ${number}`, 4, 2]),
  ]);
  expect(pictures.map(({ pixels }) => pixels)).toEqual([
    ...[0, 1, 2].map((number) => viewOf(a, number)),
    ...[0, 1, 2].map((number) => viewOf(b, number)),
  ]);
  // What is drawn, and what is to be read as it is, have none.
  expect([a, b, c, d].map(rangeOf)).toEqual([[0, 3], [3, 6], undefined, undefined]);
});

test('one array of pixels of two widths is two pictures', () => {
  const wide = { ...a, width: 8, height: 1 };
  const { pictures, rangeOf } = pictureViews({ examples: [a, wide], documents: [], count: 2 });
  expect(pictures.map(({ width }) => width)).toEqual([4, 4, 8, 8]);
  expect([rangeOf(a), rangeOf(wide)]).toEqual([
    [0, 2],
    [2, 4],
  ]);
});

test('none where none are asked for', () => {
  const { pictures, rangeOf } = pictureViews({ examples: [a], documents, count: 0 });
  expect([pictures.length, rangeOf(a)]).toEqual([0, undefined]);
});
