/** @file Finding pictures by their drawings, with features that are the colour of a picture's one pixel: places counted by hand. */
import type { CaptionedImage, RgbImage } from '@transfusion/data';
import type { Features } from '@transfusion/evaluation';
import type { Example } from '@transfusion/training';
import type { Judge, PictureFeatures } from './judge.js';
import { findPictures } from './picture-finding.js';
import { galleryOf, nameInCaption, type PictureSet, type PictureSets } from './picture-sets.js';

type Colour = [number, number, number];

function example(name: string, group: string, pixels: Colour, held: Partial<CaptionedImage> = {}): Example {
  const split = held.heldOutAs ? 'heldOut' : 'train';
  const picture = { width: 1, height: 1, pixels: Uint8Array.from(pixels), caption: name, name, group };
  return { ...picture, split, ...held, captionIds: [] };
}

const asked = example('cat, google style', 'cat', [255, 255, 0], { heldOutAs: 'composition' });
const google = [
  example('dog, google style', 'dog', [255, 200, 0]),
  example('cat: dark skin tone, google style', 'cat', [255, 128, 0]),
  example('cow, google style', 'cow', [0, 255, 255]),
  example('owl, google style', 'owl', [255, 0, 255]),
];
const twitter = [
  // Of both the second is nearer to what is asked for.
  example('cat: dark skin tone, twitter style', 'cat', [0, 255, 255]),
  example('cat, twitter style', 'cat', [255, 210, 0]),
  example('dog, twitter style', 'dog', [255, 255, 0]),
];
const setOf = (id: PictureSet['id'], all: Example[]): PictureSet => ({ id, words: id, all, chosen: all });
const composition = setOf('composition', [asked]);
const sets: PictureSets = {
  hasCells: true,
  heldOut: [composition],
  train: setOf('train', [...google, ...twitter]),
  documents: { train: [], heldOut: [] },
};

const rows = (all: number[][]): Features => {
  return { count: all.length, dimensions: 3, data: Float32Array.from(all.flat()) };
};
const byte = (value: number) => (value + 1) * 127.5;
const colours: PictureFeatures = {
  drawn: async (images) => rows(images.map(({ data }) => Array.from(data, byte))),
  real: async (pictures) => rows(pictures.map(({ pixels }) => Array.from(pixels))),
};
const drawn = (...colour: Colour): RgbImage => {
  return { width: 1, height: 1, data: Float32Array.from(colour, (value) => value / 127.5 - 1) };
};
const terminal = { out() {}, log() {}, signal: new AbortController().signal };
const TEXTS: Record<string, number[]> = { 'cat, google style': [255, 230, 0] };
const judge: Judge = {
  ...{ name: 'colours', features: colours },
  pair: { name: 'colours', pictures: colours, texts: async (texts) => rows(texts.map((text) => TEXTS[text])) },
  async dispose() {},
};

test('a drawing among all pictures of its style, beside another style and the caption', async () => {
  // Its cosine with dog is greater than that with cat; cow, owl and the darker cat are farther.
  const found = await findPictures({ sets, judge, terminal }, composition, [drawn(255, 215, 0)]);
  expect(found.candidates).toBe(5);
  expect(found.hasShared).toEqual({ own: false, group: true });
  expect([...found.features!.own.ranks]).toEqual([2]);
  // In squared error too: 15 from dog, 40 from cat.
  expect([...found.pixels.own.ranks]).toEqual([2]);
  expect(found.pixels.own.chance.top1).toBeCloseTo(1 / 5, 12);
  expect(found.pixels.group.chance.top1).toBeCloseTo(2 / 5, 12);
  // cat in twitter style, at 210: dog at 200 is nearer than 255.
  expect([...found.otherStyle!.features!.own.ranks]).toEqual([2]);
  expect([...found.otherStyle!.pixels.own.ranks]).toEqual([2]);
  // 230 is nearer to 255 than to 200 by angle, and the agreement is its cosine with what was drawn, and with the real one.
  expect([...found.captions!.own.ranks]).toEqual([1]);
  const cosine = (a: number, b: number) => (255 ** 2 + a * b) / Math.hypot(255, a) / Math.hypot(255, b);
  expect(found.agreement!.drawn).toBeCloseTo(100 * cosine(215, 230), 4);
  expect(found.agreement!.real).toBeCloseTo(100 * cosine(255, 230), 4);
});

test('any skin tone will do for the group', async () => {
  const found = await findPictures({ sets, judge: { async dispose() {} }, terminal }, composition, [
    drawn(255, 120, 0),
  ]);
  expect(found.features).toBeUndefined();
  expect(found.captions).toBeUndefined();
  expect([...found.pixels.own.ranks]).toEqual([3]);
  expect([...found.pixels.group.ranks]).toEqual([1]);
});

test('without cells all held-out pictures are candidates, of training pictures as many', () => {
  const heldOut = setOf('heldOut', google);
  const train = { ...setOf('train', twitter), chosen: twitter.slice(1, 2) };
  const plain = { ...sets, hasCells: false, heldOut: [heldOut], train };
  expect(galleryOf(plain, heldOut).pictures).toEqual(google);
  expect(galleryOf(plain, train).pictures).toEqual([twitter[1], twitter[0], twitter[2]]);
  const few = { ...plain, heldOut: [setOf('heldOut', google.slice(0, 1))] };
  const { pictures, among } = galleryOf(few, train);
  expect(pictures).toEqual([twitter[1], twitter[0]]);
  expect(among(twitter[1])).toEqual([0, 1]);
});

test('pictures of one caption are all right', async () => {
  const classes = [
    example('shirt', '1', [10, 0, 0]),
    example('shirt', '2', [200, 0, 0]),
    example('boot', '3', [100, 0, 0]),
  ];
  const set = { ...setOf('heldOut', classes), chosen: [classes[0]] };
  const plain: PictureSets = { ...sets, hasCells: false, heldOut: [set] };
  const found = await findPictures({ sets: plain, judge: { async dispose() {} }, terminal }, set, [drawn(170, 0, 0)]);
  expect(found.hasShared).toEqual({ own: true, group: false });
  expect([...found.pixels.own.ranks]).toEqual([1]);
  expect(found.otherStyle).toBeUndefined();
});

test('the name in a caption is all but its style', () => {
  expect(nameInCaption('red heart, 3d style')).toBe('red heart');
  expect(nameInCaption('flag: Chad, openmoji style')).toBe('flag: Chad');
  expect(nameInCaption('red heart, no style')).toBe('red heart, no style');
});
