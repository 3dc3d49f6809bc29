import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readEmojiLabels } from './emoji-labels.js';
import { readIconSet } from './icon-set.js';
import { loadEmoji } from './index.js';

const resolve = createRequire(__filename).resolve;
const captionsFile = resolve('emojibase-data/en/data.json');
const label = (text: string, hexcode: string) => ({ label: text, hexcode, tags: [] });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-icons-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const write = (content: unknown) => writeFile(join(folder, 'icons.json'), JSON.stringify(content));

const square = (colour: string) => ({ body: `<path fill="${colour}" d="M0 0h8v8H0z"/>` });

test('finds emoji by their labels, whatever stands between words, and by other names', async () => {
  await write({
    prefix: 'test',
    width: 8,
    height: 8,
    icons: {
      'waving-hand-dark-skin-tone': square('red'),
      redheart: { ...square('blue'), width: 16 },
      'flag-for-flag-peru': square('green'),
      'flag-for-japan': square('white'),
      unknown: square('black'),
      'cricket-game': { ...square('gray'), left: 2, top: -1 },
    },
    aliases: {
      'old-name': { parent: 'unknown' },
      cricket: { parent: 'cricket-game' },
      piñata: { parent: 'unknown' },
      lost: { parent: 'nobody' },
    },
  });
  const icons = await readIconSet(folder, [
    label('waving hand: dark skin tone', 'A'),
    label('red heart', 'B'),
    label('flag: peru', 'C'),
    label('flag: japan', 'D'),
    label('old name', 'E'),
    label('piñata', 'F'),
    label('lost', 'G'),
    label('nowhere', 'H'),
    label('cricket game', 'I'),
    label('cricket', 'J'),
  ]);
  // That a bat is another name of an insect's is what only the set says.
  expect([...icons.keys()]).toEqual(['A', 'B', 'C', 'D', 'E', 'F', 'I']);
  expect(icons.get('A')).toMatch(/^<svg [^>]*width="8" height="8" viewBox="0 0 8 8"><path fill="red"/);
  expect(icons.get('E')).toBe(icons.get('F'));
  expect(icons.get('I')).toContain('viewBox="2 -1 8 8"');
  expect(icons.get('B')).toContain('viewBox="0 0 16 8"');
});

test.each([
  ['no JSON', '{'],
  ['no icons', '{"prefix":"x"}'],
  ['a body that is no text', '{"icons":{"a":{"body":1}}}'],
  ['a side that nobody can draw', '{"width":100000,"icons":{}}'],
])('%s is refused', async (_, content) => {
  await writeFile(join(folder, 'icons.json'), content);
  await expect(readIconSet(folder, [])).rejects.toThrow(
    /DATA_ICONS_FORMAT: .*icons\.json: not an icon set(?:.|\n)*fix: give/,
  );
});

test('a missing set is named', async () => {
  await expect(readIconSet(folder, [])).rejects.toThrow(/DATA_UNREADABLE/);
});

test('pictures of a set are drawn, kept, and read again', async () => {
  await write({ width: 8, height: 8, icons: { 'red-heart': square('#f00'), 'grinning-face': square('#00f') } });
  const options = {
    ...{ styles: [{ folder, words: 'square style' }], captionsFile, size: 4, cacheFolder: join(folder, 'cache') },
  };
  const { images, broken } = await loadEmoji(options);
  expect(broken).toEqual([]);
  expect(images.map(({ caption, pixels }) => [caption, ...pixels.subarray(0, 3)])).toEqual([
    ['grinning face, square style', 0, 0, 255],
    ['red heart, square style', 255, 0, 0],
  ]);
  expect((await loadEmoji(options)).images).toEqual(images);
});

test.each([
  ['emojione', 1500],
  ['emojione-v1', 1000],
  ['fxemoji', 450],
  ['noto-v1', 2100],
])('%s has at least %s of the emoji of emojibase', async (name, count) => {
  const labels = await readEmojiLabels(captionsFile);
  const icons = await readIconSet(dirname(resolve(`@iconify-json/${name}/package.json`)), labels);
  expect(icons.size).toBeGreaterThan(count);
  expect([...icons.keys()].every((hexcode) => labels.some((each) => each.hexcode === hexcode))).toBe(true);
});
