/** @file Captioned emoji: pictures of an emoji-datasource package, captions of emojibase-data. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TransfusionError } from '@transfusion/tensor';
import { z } from 'zod';
import { decodePng } from '../image/decode-png.js';
import { squareImage } from '../image/resize.js';
import { fromBytes, type RgbImage, toBytes } from '../image/rgb-image.js';
import { readImageCache, writeImageCache } from './image-cache.js';

/** Raised when decoding or resizing changes, so that old caches are not read. */
const CACHE_VERSION = 1;

const skinSchema = z.object({ label: z.string().min(1), hexcode: z.string().min(1) });
const emojibaseSchema = z
  .array(skinSchema.extend({ tags: z.array(z.string()).optional(), skins: z.array(skinSchema).optional() }))
  .max(100_000);

export interface EmojiExample {
  /** Code points in hexadecimal, joined by `-`, as in emojibase. */
  hexcode: string;
  /** The label in lower case. */
  caption: string;
  tags: string[];
  /** size x size, on white, 8 bits of precision. */
  image: RgbImage;
}

export interface EmojiOptions {
  /** Folder of PNG files named by code points, e.g. `emoji-datasource-twitter/img/twitter/64`. */
  imagesFolder: string;
  /** `emojibase-data/en/data.json`. */
  captionsFile: string;
  /** Side of the images, in pixels. */
  size: number;
  /** Only these, in this order (see `demoEmoji`); default all that have a picture, in emojibase's order. */
  hexcodes?: string[];
  /** Only the first so many. */
  count?: number;
  /** Take skin tone variants too ("waving hand: dark skin tone"); default true. Ignored where `hexcodes` is given. */
  skinTones?: boolean;
  /** Where decoded images are kept for the next start; default: nowhere. */
  cacheFolder?: string;
}

/** Packages write U+FE0F (emoji presentation) inconsistently: compare without it. */
function normalizeHexcode(hexcode: string): string {
  return hexcode.toLowerCase().replaceAll('-fe0f', '');
}

async function readInput<T>(what: string, path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new TransfusionError({
      code: 'DATA_UNREADABLE',
      message: `${what} ${path}: ${error instanceof Error ? error.message : error}`,
      fix: 'install the data set package, or correct the path',
      cause: error,
    });
  }
}

type Labelled = Omit<EmojiExample, 'image'>;

function parseCaptions(text: string, path: string): Labelled[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    json = error;
  }
  const parsed = emojibaseSchema.safeParse(json);
  if (!parsed.success) {
    throw new TransfusionError({
      code: 'DATA_CAPTIONS_FORMAT',
      message: `${path}: not an emojibase data.json: ${z.prettifyError(parsed.error).split('\n')[0]}`,
      fix: 'give the path of emojibase-data/en/data.json',
    });
  }
  return parsed.data.flatMap(({ label, hexcode, tags = [], skins = [] }) => [
    { hexcode, caption: label.toLowerCase(), tags },
    ...skins.map((skin) => ({ hexcode: skin.hexcode, caption: skin.label.toLowerCase(), tags })),
  ]);
}

/** The emoji to load, each with its picture's file name. */
function selectEmoji(labelled: Labelled[], files: string[], options: EmojiOptions): (Labelled & { file: string })[] {
  const fileOf = new Map(files.map((file) => [normalizeHexcode(file.replace(/\.png$/i, '')), file]));
  const drawn = labelled.flatMap((emoji) => {
    const file = fileOf.get(normalizeHexcode(emoji.hexcode));
    return file === undefined ? [] : [{ ...emoji, file }];
  });
  const { hexcodes, skinTones = true } = options;
  const selected = hexcodes
    ? hexcodes.map((hexcode) => {
        const emoji = drawn.find((candidate) => normalizeHexcode(candidate.hexcode) === normalizeHexcode(hexcode));
        if (emoji) return emoji;
        throw new TransfusionError({
          code: 'DATA_EMOJI_MISSING',
          message: `emoji ${hexcode} has no ${fileOf.has(normalizeHexcode(hexcode)) ? `caption in ${options.captionsFile}` : `picture in ${options.imagesFolder}`}`,
        });
      })
    : drawn.filter((emoji) => skinTones || !/-1f3f[b-f]/i.test(emoji.hexcode));
  if (selected.length === 0) {
    throw new TransfusionError({
      code: 'DATA_EMOJI_MISSING',
      message: `${options.imagesFolder} has ${files.length} files, none of which is the picture of an emoji in ${options.captionsFile}`,
      fix: 'give a folder of files like 1f600.png',
    });
  }
  return selected.slice(0, options.count);
}

/** The package.json that the folder belongs to: its version tells redrawn pictures apart. */
async function packageManifest(folder: string): Promise<string> {
  for (let at = folder, parent = dirname(at); at !== parent; at = parent, parent = dirname(at)) {
    const manifest = await readFile(join(at, 'package.json'), 'utf8').catch(() => undefined);
    if (manifest !== undefined) return manifest;
  }
  return '';
}

/**
 * Loads captioned emoji images. The first call decodes the pictures; later ones with the same selection, size and
 * package version read them back from `cacheFolder`.
 *
 * @throws TransfusionError DATA_UNREADABLE, DATA_CAPTIONS_FORMAT, DATA_EMOJI_MISSING, IMAGE_UNREADABLE,
 *   DATA_CACHE_UNWRITABLE
 */
export async function loadEmojiDataset(options: EmojiOptions): Promise<EmojiExample[]> {
  const { imagesFolder, captionsFile, size, cacheFolder } = options;
  const captions = await readInput('captions', captionsFile, () => readFile(captionsFile, 'utf8'));
  const files = (await readInput('images folder', imagesFolder, () => readdir(imagesFolder))).sort();
  const selected = selectEmoji(parseCaptions(captions, captionsFile), files, options);

  const key = createHash('sha256')
    .update(
      JSON.stringify([CACHE_VERSION, size, selected.map(({ file }) => file), await packageManifest(imagesFolder)]),
    )
    .digest('hex');
  const shape = { count: selected.length, height: size, width: size };
  const cacheFile = cacheFolder && join(cacheFolder, `emoji-${size}-${key.slice(0, 16)}.bin`);
  let images = cacheFile ? await readImageCache(cacheFile, key, shape) : undefined;
  if (images === undefined) {
    images = [];
    for (const { file } of selected) {
      const path = join(imagesFolder, file);
      const bytes = await readInput('image', path, () => readFile(path));
      images.push(toBytes(squareImage(decodePng(bytes, { where: path }), size).data));
    }
    if (cacheFile) await writeImageCache(cacheFile, key, images);
  }
  return selected.map(({ hexcode, caption, tags }, i) => {
    return { hexcode, caption, tags, image: { width: size, height: size, data: fromBytes(images[i]) } };
  });
}
