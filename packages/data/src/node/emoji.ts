/** @file Captioned emoji in one or more drawing styles: pictures of npm packages, captions of emojibase-data. */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TransfusionError } from '@transfusion/core';
import { emojiCaptions } from '../emoji-captions.js';
import type { ImageDataset } from '../image-dataset.js';
import { type EmojiLabel, normalizeHexcode, readEmojiLabels } from './emoji-labels.js';
import { type IconSet, readIconSet } from './icon-set.js';
import { type LoadImagesOptions, loadImages } from './load-images.js';
import { readInput } from './read-input.js';

/** Where the pictures of a style are, and what they are called. */
export interface EmojiStyle {
  /** Of files named by code points, such as `1f600.png` or `1F600.svg`; or of an icon set of Iconify, with `icons.json`. */
  folder: string;
  /** Follows the label in captions, as in "red heart, 3d style". Default: the label alone. */
  words?: string;
  /** Other words for it, as in "outline style"; used by `otherCaptions`. Default: `words`. */
  otherWords?: string;
}

export interface EmojiOptions extends LoadImagesOptions {
  styles: readonly EmojiStyle[];
  /** `emojibase-data/en/data.json`. */
  captionsFile: string;
  /** Only these, in this order (see `demoEmoji`); default all that have a picture, in emojibase's order. */
  hexcodes?: string[];
  /** Take skin tone variants too ("waving hand: dark skin tone"); default true. Ignored where `hexcodes` is given. */
  skinTones?: boolean;
}

interface Picture {
  caption: string;
  otherCaptions: string[];
  name: string;
  group: string;
  path: string;
}

/**
 * Loads captioned emoji, each in every style that draws it. The first call decodes the pictures; later ones with the same
 * selection, size and package versions read them back from `cacheFolder`. An emoji and its skin tones are one group.
 * Each picture also has `otherCaptions`.
 *
 * @throws TransfusionError DATA_UNREADABLE, DATA_CAPTIONS_FORMAT, DATA_EMOJI_MISSING, DATA_BROKEN_FILES,
 *   DATA_CACHE_UNWRITABLE
 */
export async function loadEmoji(options: EmojiOptions): Promise<ImageDataset> {
  const { captionsFile, styles, size } = options;
  const labels = await readEmojiLabels(captionsFile);
  const drawings = await Promise.all(styles.map((style) => listDrawings(style, labels)));
  const selected = selectEmoji(labels, drawings, options);
  const drawn = selected.flatMap(({ hexcode, ...words }) => {
    const key = normalizeHexcode(hexcode);
    return drawings.flatMap(({ fileOf, style }) => {
      const file = fileOf.get(key);
      return file === undefined ? [] : [{ hexcode, ...words, style, path: join(style.folder, file) }];
    });
  });
  const pictures = drawn.slice(0, options.count).map(({ hexcode, label, tags, style, path }): Picture => {
    const caption = style.words ? `${label}, ${style.words}` : label;
    const otherCaptions = emojiCaptions({ label, tags, words: style.words, otherWords: style.otherWords });
    return { caption, otherCaptions, name: caption, group: withoutSkinTones(hexcode), path };
  });
  const contents = new Map(drawings.flatMap(({ contents }) => [...contents]));
  const manifests = await Promise.all(styles.map(({ folder }) => packageManifest(folder)));
  const { decoded, broken } = await loadImages({
    ...options,
    files: pictures.map(({ path }) => path),
    name: 'emoji',
    key: JSON.stringify([...manifests, ...[...contents.values()].map((content) => content.toString())]),
    contentOf: (path) => contents.get(path),
  });
  const images = pictures.flatMap(({ path, ...picture }, i) => {
    const own = decoded[i];
    return own ? [{ ...picture, ...own }] : [];
  });
  return { size, images, broken, leftOut: [] };
}

interface Drawings {
  style: EmojiStyle;
  files: string[];
  /** By normalised hexcode. */
  fileOf: Map<string, string>;
  /** By path, of what is no file. */
  contents: Map<string, Buffer>;
}

async function listDrawings(style: EmojiStyle, labels: readonly EmojiLabel[]): Promise<Drawings> {
  const all = (await readInput('images folder', style.folder, () => readdir(style.folder))).sort();
  if (all.includes('icons.json')) return listIcons(style, await readIconSet(style.folder, labels));
  const files = all.filter((name) => /\.(png|webp|svg)$/i.test(name));
  const fileOf = new Map(files.map((name) => [normalizeHexcode(name.replace(/\.\w+$/, '')), name]));
  return { style, files, fileOf, contents: new Map() };
}

function listIcons(style: EmojiStyle, icons: IconSet): Drawings {
  const fileOf = new Map([...icons.keys()].map((hexcode) => [normalizeHexcode(hexcode), `icons.json#${hexcode}`]));
  const contents = [...icons].map(([hexcode, svg]): [string, Buffer] => {
    return [join(style.folder, `icons.json#${hexcode}`), Buffer.from(svg)];
  });
  return { style, files: [...fileOf.values()], fileOf, contents: new Map(contents) };
}

function withoutSkinTones(hexcode: string): string {
  return normalizeHexcode(hexcode).replaceAll(/-1f3f[b-f]/g, '');
}

function selectEmoji(labels: readonly EmojiLabel[], drawings: Drawings[], options: EmojiOptions): EmojiLabel[] {
  const { hexcodes, skinTones = true, captionsFile } = options;
  const folders = drawings.map(({ style }) => style.folder).join(', ');
  const isDrawn = (key: string) => drawings.some(({ fileOf }) => fileOf.has(key));
  const drawn = labels.filter(({ hexcode }) => isDrawn(normalizeHexcode(hexcode)));
  if (hexcodes) {
    // Of several the first.
    const byKey = new Map(drawn.toReversed().map((emoji) => [normalizeHexcode(emoji.hexcode), emoji]));
    return hexcodes.map((hexcode) => {
      const key = normalizeHexcode(hexcode);
      const emoji = byKey.get(key);
      if (emoji) return emoji;
      throw new TransfusionError({
        code: 'DATA_EMOJI_MISSING',
        message: `emoji ${hexcode} has no ${isDrawn(key) ? `caption in ${captionsFile}` : `picture in ${folders}`}`,
      });
    });
  }
  if (drawn.length === 0) {
    const count = drawings.reduce((sum, { files }) => sum + files.length, 0);
    throw new TransfusionError({
      code: 'DATA_EMOJI_MISSING',
      message: `${folders}: ${count} pictures, none of which is that of an emoji in ${captionsFile}`,
      fix: 'give folders of files like 1f600.png, or of an icon set with names like red-heart',
    });
  }
  return drawn.filter(({ hexcode }) => skinTones || !/-1f3f[b-f]/i.test(hexcode));
}

/** The package.json that the folder belongs to: its version tells redrawn pictures apart. */
async function packageManifest(folder: string): Promise<string> {
  for (let at = folder, parent = dirname(at); at !== parent; at = parent, parent = dirname(at)) {
    const manifest = await readFile(join(at, 'package.json'), 'utf8').catch(() => undefined);
    if (manifest !== undefined) return manifest;
  }
  return '';
}
