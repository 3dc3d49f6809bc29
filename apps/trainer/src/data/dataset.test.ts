import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runConfigSchema } from '../config/run-config.js';
import { loadDataset, loadPlainTexts } from './dataset.js';

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

test('wordnet is a word for the glosses of WordNet', async () => {
  const texts = await loadPlainTexts('wordnet', { allowBroken: 0 }, { cacheFolder });
  expect(texts.length).toBeGreaterThan(117_000);
  expect(texts[0].text).toMatch(/^entity: that which is perceived/);
});
