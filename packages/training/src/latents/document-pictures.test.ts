import { documentPictures, picturesOfTheirOwn } from './document-pictures.js';

const pixels = (value: number) => new Uint8Array(12).fill(value);
const [a, b, c] = [1, 2, 3].map(pixels);
const image = (data: Uint8Array, width = 2) => ({ kind: 'image' as const, width, height: 4 / width, pixels: data });
const documents = [
  { name: 'one', parts: [image(a), { kind: 'text' as const }, image(b)] },
  { name: 'two', parts: [image(b), image(c), image(a, 4)] },
];

test('a picture is there once, however many documents have it; of another width it is another', () => {
  const { pictures, numberOf } = documentPictures(documents);
  expect(pictures.map(({ name, width, pixels }) => [name, width, pixels[0]])).toEqual([
    ['one', 2, 1],
    ['one', 2, 2],
    ['two', 2, 3],
    ['two', 4, 1],
  ]);
  expect([image(c), image(a, 4), image(a)].map(numberOf)).toEqual([2, 3, 0]);
});

test('those with captions are not among those of their own: the same array, not the same values', () => {
  const own = picturesOfTheirOwn(documents, [image(a), { ...image(pixels(2)) }]);
  expect(own.map(({ width, pixels }) => [width, pixels[0]])).toEqual([
    [2, 2],
    [2, 3],
    [4, 1],
  ]);
});
