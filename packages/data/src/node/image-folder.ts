/** @file A folder of pictures, with captions or without: your own, or what others share as a folder. */
import { basename, join } from 'node:path';
import { TransfusionError } from '@transfusion/core';
import type { BrokenFile, CaptionedImage, ImageDataset } from '../image-dataset.js';
import type { ImageSize } from '../image-size.js';
import { NO_CAPTION, NO_PICTURE } from '../too-many-broken.js';
import { type FolderCaptions, findCaptions, noCaptions } from './folder-captions.js';
import { folderSplit, type Split } from './folder-split.js';
import { countKinds, reasonLeftOut } from './left-out.js';
import { type ListedFile, listFolder } from './list-folder.js';
import { type LoadImagesOptions, loadImages } from './load-images.js';
import { nearNames } from './near-name.js';
import { isPicture, withoutExtension } from './picture-names.js';

const CAPTIONS = ['required', 'optional', 'none'] as const;

export interface ImageFolderOptions extends LoadImagesOptions {
  /** Pictures in it and its subfolders; hidden files, and links to folders or out of the folder, are not followed. */
  folder: string;
  /**
   * 'required': a picture without caption counts as broken. 'optional': its caption is undefined. 'none': captions are not
   * looked for, no captions file is read, and every picture is there once. Default 'required'.
   */
  captions?: (typeof CAPTIONS)[number];
  /**
   * In place of `size`: each picture is cropped and resized to the one that is nearest to it in aspect ratio. `readImage` must not
   * be given then.
   */
  sizes?: readonly ImageSize[];
  /** A file of captions to use instead of those in the folder, `.csv`, `.parquet` or JSON lines, with names relative to the folder. */
  captionsFile?: string;
}

interface Picture {
  file: ListedFile;
  captions: (string | undefined)[];
  split: Split | undefined;
}

/**
 * Loads a folder of pictures, sorted by name. Captions are in `captions.jsonl`, `captions.csv`, or `metadata.jsonl`, `.csv` or `.parquet`
 * of the folder or a subfolder, else in NAME.txt or NAME.caption beside each picture. All captions of a picture are one group.
 * Folders such as `train` and `test` give a split, where there are both; `count` is then of pictures to train on, and as large a
 * share of the held-out ones is taken. Decoded pictures in `cacheFolder` are read back while no file's size or time of change is
 * another.
 *
 * Broken is: a picture that cannot be read, or has no caption where it needs one; a name in a captions file without a picture.
 *
 * @throws TransfusionError DATA_UNREADABLE, DATA_CAPTIONS_FORMAT, DATA_FOLDER_EMPTY, DATA_BROKEN_FILES, DATA_CACHE_UNWRITABLE,
 *   DATA_SHARP_MISSING, DATA_SHARP_BROKEN, DATA_OPTIONS
 */
export async function loadImageFolder(options: ImageFolderOptions): Promise<ImageDataset> {
  const { folder, captions = 'required', captionsFile } = options;
  if (!CAPTIONS.includes(captions)) {
    throw new TransfusionError({
      code: 'DATA_OPTIONS',
      message: `loadImageFolder: captions is ${JSON.stringify(captions)}`,
      fix: `give one of ${CAPTIONS.map((each) => `'${each}'`).join(', ')}; a file of captions is captionsFile`,
    });
  }
  if (options.sizes && options.readImage) {
    throw new TransfusionError({
      code: 'DATA_OPTIONS',
      message: 'loadImageFolder: both sizes and readImage are given, and such a reader makes squares of one size',
      fix: 'leave one of them out',
    });
  }
  const files = new Map((await listFolder(folder)).map((file) => [file.name, file]));
  const source = captions === 'none' ? noCaptions : await findCaptions(files, captionsFile);
  const { pictures, unusable } = await findPictures(options, files, source);
  if (pictures.length === 0) throw emptyFolder(options, [...files.keys()], unusable);
  const { decoded, broken } = await loadImages({
    ...options,
    files: pictures.map(({ file }) => file.path),
    name: 'folder',
    key: JSON.stringify(pictures.map(({ file }) => [file.target, file.size, file.mtimeMs])),
    unusable,
  });
  const images = pictures.flatMap(({ file, captions, split }, i): CaptionedImage[] => {
    const own = decoded[i];
    const common = { name: file.name, group: file.target, ...(split && { split }) };
    return own ? captions.map((caption) => ({ caption, ...common, ...own })) : [];
  });
  return { ...(options.sizes ? {} : { size: options.size }), images, broken, leftOut: findLeftOut(files, source) };
}

/** Of the first `count` pictures: those to be read, and those that cannot be used. */
async function findPictures(
  { folder, captions = 'required', count }: ImageFolderOptions,
  files: ReadonlyMap<string, ListedFile>,
  source: FolderCaptions,
): Promise<{ pictures: Picture[]; unusable: BrokenFile[] }> {
  const names = [...new Set([...[...files.keys()].filter(isPicture), ...source.named])].sort();
  const splitOf = folderSplit(names.filter((name) => files.has(name)));
  const nearOf = nearNames([...files.keys()].filter(isPicture));
  const links = [...files.values()].filter(({ isFolder }) => isFolder).map((link) => link.name);
  const pictures: Picture[] = [];
  const unusable: BrokenFile[] = [];
  for (const name of takeFirst(names, count, splitOf)) {
    const file = files.get(name);
    const problem = file ? file.problem : whyMissing(name, links, nearOf);
    const found = problem === undefined ? await source.captionsOf(name) : { problem };
    if ('problem' in found) unusable.push({ path: join(folder, name), reason: found.problem });
    else if (found.captions.length === 0 && captions === 'required') {
      const spokenBy = source.fileFor(name);
      unusable.push({
        path: join(folder, name),
        reason: spokenBy ? `${NO_CAPTION} in ${basename(spokenBy)}` : NO_CAPTION,
      });
    } else if (file) {
      pictures.push({ file, captions: found.captions.length > 0 ? found.captions : [undefined], split: splitOf(name) });
    }
  }
  return { pictures, unusable };
}

/** The first `count`; with a split, the first `count` to train on and as large a share of the others. */
function takeFirst(names: string[], count: number | undefined, splitOf: (name: string) => Split | undefined): string[] {
  if (count === undefined) return names;
  const heldOut = names.filter((name) => splitOf(name) === 'heldOut');
  const train = names.filter((name) => splitOf(name) !== 'heldOut');
  const share = Math.min(1, count / train.length);
  return [...train.slice(0, count), ...heldOut.slice(0, Math.ceil(share * heldOut.length))].sort();
}

/** @param links to folders */
function whyMissing(name: string, links: readonly string[], nearOf: (name: string) => string | undefined): string {
  if (name.split('/').some((part) => part.startsWith('.'))) return 'hidden files are left out';
  const link = links.find((each) => name.startsWith(`${each}/`));
  if (link) return `${link} is a link to a folder, which is not followed`;
  const near = nearOf(name);
  return near === undefined ? NO_PICTURE : `${NO_PICTURE}; ${near} is there`;
}

/** The files that were not tried as pictures or captions, sorted by name. */
function findLeftOut(files: ReadonlyMap<string, ListedFile>, source: FolderCaptions): BrokenFile[] {
  const named = new Set(source.named);
  const tried = [...files.keys()].filter((name) => isPicture(name) || named.has(name));
  const stems = new Set(tried.map(withoutExtension));
  return [...files.values()].flatMap((file) => {
    const { name, path, problem } = file;
    if (isPicture(name) || named.has(name)) return [];
    const role = source.roleOf(name, (stem) => stems.has(stem)) ?? { reason: problem ?? reasonLeftOut(name) };
    return role === 'used' ? [] : [{ path, reason: role.reason }];
  });
}

function emptyFolder(
  { folder, captions = 'required' }: ImageFolderOptions,
  names: readonly string[],
  unusable: readonly BrokenFile[],
): TransfusionError {
  const [first] = unusable;
  const needed = captions === 'required' ? 'a picture with a caption' : 'a picture that can be read';
  const contents = names.length === 0 ? 'it is empty' : `it has ${countKinds(names)}`;
  const example = first ? `; the first of ${unusable.length} that cannot be used: ${first.path}: ${first.reason}` : '';
  const waysOut = [
    'write the caption of NAME.png into NAME.txt beside it, or all captions into captions.jsonl, in lines like ' +
      '{"file_name": "cat.png", "text": "a cat"}',
    "or train on pictures alone (captions: 'none')",
  ];
  const lackCaptions = unusable.some(({ reason }) => reason.startsWith(NO_CAPTION));
  return new TransfusionError({
    code: 'DATA_FOLDER_EMPTY',
    message: `${folder} does not have ${needed}: ${contents}${example}`,
    fix: lackCaptions
      ? waysOut.join('; ')
      : `put pictures there (PNG, JPEG, WebP, GIF, AVIF, TIFF or SVG)${captions === 'required' ? `, and ${waysOut[0]}` : ''}`,
  });
}
