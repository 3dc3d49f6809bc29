/** @file A folder of pictures with captions: your own, or what others share as a folder. */
import { join } from 'node:path';
import { TransfusionError } from '@transfusion/tensor';
import type { BrokenFile, ImageDataset } from '../image-dataset.js';
import { readCaption, readCaptionLines } from './image-captions.js';
import { type ListedFile, listFolder } from './list-folder.js';
import { type LoadImagesOptions, loadImages } from './load-images.js';

const PICTURE = /\.(png|jpe?g|webp|gif|avif|tiff?|svg)$/i;
const CAPTION_LINES = ['captions.jsonl', 'metadata.jsonl'];

export interface ImageFolderOptions extends LoadImagesOptions {
  /** Pictures in it and its subfolders; hidden files, and links to folders or out of the folder, are not followed. */
  folder: string;
  /**
   * Lines of JSON with `file_name`, relative to the folder, and `text`. Default: `captions.jsonl` or `metadata.jsonl` in the
   * folder if there is one, else each picture's caption is in NAME.txt beside it.
   */
  captions?: string;
}

interface Captioned {
  file: ListedFile;
  captions: string[];
}

/**
 * Loads a folder of pictures, sorted by name. Pictures without caption, and captions without picture, count as broken. All
 * captions of a picture are one group. Decoded pictures in `cacheFolder` are read back while no file's size or time of change
 * is another.
 *
 * @throws TransfusionError DATA_UNREADABLE, DATA_CAPTIONS_FORMAT, DATA_FOLDER_EMPTY, DATA_BROKEN_FILES,
 *   DATA_CACHE_UNWRITABLE
 */
export async function loadImageFolder(options: ImageFolderOptions): Promise<ImageDataset> {
  const { folder, size } = options;
  const { captioned, unusable } = await findCaptioned(options);
  if (captioned.length === 0) throw emptyFolder(folder, unusable);
  const { pixels, broken } = await loadImages({
    ...options,
    files: captioned.map(({ file }) => file.path),
    name: 'folder',
    key: JSON.stringify(captioned.map(({ file }) => [file.target, file.size, file.mtimeMs])),
    unusable,
  });
  const images = captioned.flatMap(({ file, captions }, i) => {
    const own = pixels[i];
    return own ? captions.map((caption) => ({ caption, group: file.target, pixels: own })) : [];
  });
  return { size, images, broken };
}

/** Of the first `count` pictures: those to be read, and those that cannot be used. */
async function findCaptioned({ folder, captions, count }: ImageFolderOptions) {
  const files = new Map((await listFolder(folder)).map((file) => [file.name, file]));
  const lines = await findCaptionLines(files, captions);
  const pictures = [...files.keys()].filter((name) => PICTURE.test(name));
  const names = [...new Set([...pictures, ...(lines?.keys() ?? [])])].sort().slice(0, count);
  const captioned: Captioned[] = [];
  const unusable: BrokenFile[] = [];
  for (const name of names) {
    const found = await findCaptions(name, files, lines);
    if ('problem' in found) unusable.push({ path: join(folder, name), reason: found.problem });
    else captioned.push(found);
  }
  return { captioned, unusable };
}

async function findCaptionLines(
  files: Map<string, ListedFile>,
  given: string | undefined,
): Promise<Map<string, string[]> | undefined> {
  if (given !== undefined) return readCaptionLines(given);
  const file = CAPTION_LINES.map((name) => files.get(name)).find((each) => each !== undefined);
  if (file?.problem) {
    throw new TransfusionError({
      code: 'DATA_UNREADABLE',
      message: `captions ${file.path}: ${file.problem}`,
      fix: 'put the file itself there',
    });
  }
  return file && readCaptionLines(file.path);
}

async function findCaptions(
  name: string,
  files: Map<string, ListedFile>,
  lines: Map<string, string[]> | undefined,
): Promise<Captioned | { problem: string }> {
  const file = PICTURE.test(name) ? files.get(name) : undefined;
  if (!file) return { problem: 'there is no such picture' };
  if (file.problem) return { problem: file.problem };
  let captions = lines?.get(name) ?? [];
  const beside = lines ? undefined : files.get(name.replace(PICTURE, '.txt'));
  if (beside) {
    const read = await readCaption(beside);
    if ('problem' in read) return read;
    captions = read.caption === '' ? [] : [read.caption];
  }
  return captions.length > 0 ? { file, captions } : { problem: 'no caption' };
}

function emptyFolder(folder: string, unusable: BrokenFile[]): TransfusionError {
  const [first] = unusable;
  const example = first ? `; the first of ${unusable.length}: ${first.path}: ${first.reason}` : '';
  return new TransfusionError({
    code: 'DATA_FOLDER_EMPTY',
    message: `${folder} has no picture with a caption${example}`,
    fix:
      'put pictures there (PNG, JPEG, WebP, GIF, AVIF, TIFF or SVG), with the caption of NAME.png in NAME.txt beside it, or all ' +
      'captions in captions.jsonl, in lines like {"file_name": "cat.png", "text": "a cat"}',
  });
}
