import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runConfigSchema } from '../config/run-config.js';
import { loadDataset, loadEmojiEdits, loadPlainTexts } from './dataset.js';

let cacheFolder: string;
beforeAll(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), 'transfusion-dataset-'));
});
afterAll(() => rm(cacheFolder, { recursive: true, force: true }));

const load = (data: object) =>
  loadDataset(
    { ...runConfigSchema.parse({}).data, dataset: 'emoji-styles', count: 60, imageSize: 8, ...data } as never,
    {
      cacheFolder,
    },
  );

test('other captions only where they are wanted, in the words of each style', async () => {
  const plain = await load({});
  expect(plain.images.every((image) => !('otherCaptions' in image) && !('split' in image))).toBe(true);
  const { images } = await load({ otherCaptions: 0.1 });
  expect(images.map(({ otherCaptions, ...image }) => image)).toEqual(plain.images);
  const otherWords = ['flat style', 'noto style', 'outline style', 'glossy style'];
  const words = ['twitter style', 'google style', 'openmoji style', '3d style'];
  for (const { caption, otherCaptions } of images) {
    const [label, style] = caption!.split(', ');
    expect(otherCaptions).toContain(`${label}, ${otherWords[words.indexOf(style)]}`);
    expect(otherCaptions).toContain(label);
  }
  expect(new Set(images.map(({ caption }) => caption!.split(', ').at(-1)))).toEqual(new Set(words));
  expect((await load({ otherCaptions: 0.1, captions: 'none' })).images.some((image) => 'otherCaptions' in image)).toBe(
    false,
  );
});

test('cells are held out where they are asked for', async () => {
  const { images } = await load({ heldOutBy: 'cells' });
  expect(images.every(({ split }) => split !== undefined)).toBe(true);
  expect(images.filter(({ heldOutAs }) => heldOutAs === 'new').length).toBeGreaterThan(0);
});

test('further styles: pictures and edits to train on, nothing to examine, none of what is held out', async () => {
  const config = { ...runConfigSchema.parse({}).data, imageSize: 8, count: 500, heldOutBy: 'cells' as const };
  const options = { cacheFolder };
  const four = await loadEmojiEdits(config, options);
  const all = await loadEmojiEdits({ ...config, furtherStyles: true }, options);
  expect(all.images.slice(0, four.images.length)).toEqual(four.images);
  expect(all.documents.slice(0, four.documents.length)).toEqual(four.documents);
  const further = all.images.slice(four.images.length);
  const styles = ['fluent style', 'blob style', 'emojione style', 'old emojione style', 'firefox style'];
  expect(new Set(further.map(({ caption }) => caption!.split(', ').at(-1)))).toEqual(new Set(styles));
  const isNew = new Set(four.images.filter(({ heldOutAs }) => heldOutAs === 'new').map(({ group }) => group));
  expect(isNew.size).toBeGreaterThan(0);
  expect(further.every(({ split, group }) => split === 'train' && !isNew.has(group))).toBe(true);
  const hands = new Map([
    ['google style', 'blob style'],
    ['3d style', 'fluent style'],
  ]);
  const ofSameHands = four.images.flatMap(({ heldOutAs, group, name }) => {
    const style = hands.get(name.split(', ').at(-1)!);
    return heldOutAs === 'composition' && style ? [{ group, style }] : [];
  });
  expect(new Set(ofSameHands.map(({ style }) => style))).toEqual(new Set(hands.values()));
  for (const { group, style } of ofSameHands)
    expect(further.some((each) => each.group === group && each.name.endsWith(`, ${style}`))).toBe(false);
  const trained = all.documents.slice(four.documents.length);
  const isFurther = new Set(further.map(({ pixels }) => pixels));
  const heldOut = new Set(four.images.flatMap(({ split, pixels }) => (split === 'heldOut' ? pixels : [])));
  for (const { parts, split, ...document } of trained) {
    const pictures = parts.flatMap((part) => (part.kind === 'image' ? part.pixels : []));
    expect(split).toBe('train');
    expect('styles' in document).toBe(false);
    expect(pictures.some((pixels) => isFurther.has(pixels))).toBe(true);
    expect(pictures.some((pixels) => heldOut.has(pixels))).toBe(false);
  }
  expect(trained.length).toBeGreaterThan(further.length);
});

test('wordnet is a word for the glosses of WordNet', async () => {
  const texts = await loadPlainTexts('wordnet', { allowBroken: 0 }, { cacheFolder });
  expect(texts.length).toBeGreaterThan(117_000);
  expect(texts[0].text).toMatch(/^entity: that which is perceived/);
});
