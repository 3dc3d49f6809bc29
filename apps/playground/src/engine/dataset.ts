/** @file Captioned pictures out of a folder of files: captions in a text file beside each, or in a file of lines. */
import { reason, TransfusionError } from '@transfusion/core';
import { type CaptionedImage, fitImage, toBytes } from '@transfusion/data';
import { isCaptionsFile, readCaptionLines } from './caption-lines.js';
import { decodePicture } from './pictures.js';
import type { DatasetInfo, Picture } from './protocol.js';

/** A file of a folder, read when it is needed. */
export interface FolderFile {
  path: string;
  bytes(): Promise<Uint8Array>;
}

export interface CaptionedPicture {
  caption: string;
  name: string;
  /** As it is, whatever its size. */
  picture: Picture;
}

export interface PictureDataset {
  name: string;
  pictures: CaptionedPicture[];
  skipped: string[];
}

const PICTURE = /\.(png|jpe?g|webp|gif|avif|bmp)$/i;
const MOST_PICTURES = 5000;
/** Pictures are kept no larger than this: no model here draws more. */
const MOST_SIDE = 128;

/** @throws TransfusionError DATA_NO_EXAMPLES, DATA_CAPTIONS_FORMAT; what `signal` was aborted with */
export async function readDataset(
  name: string,
  files: readonly FolderFile[],
  options: { signal?: AbortSignal; onProgress?: (done: number, total: number) => void } = {},
): Promise<PictureDataset> {
  const visible = files.filter(
    ({ path }) => !path.split('/').some((part) => part.startsWith('.') || part === '__MACOSX'),
  );
  const byPath = new Map(visible.map((file) => [file.path, file]));
  const listed = await listedCaptions(visible);
  const found = visible.filter(({ path }) => PICTURE.test(path)).sort((a, b) => (a.path < b.path ? -1 : 1));
  const pictures: CaptionedPicture[] = [];
  const skipped: string[] = [];
  for (const [i, file] of found.slice(0, MOST_PICTURES).entries()) {
    options.signal?.throwIfAborted();
    options.onProgress?.(i, found.length);
    const captions = listed?.get(file.path) ?? (await captionBeside(file.path, byPath));
    if (captions.length === 0) {
      skipped.push(`${file.path}: it has no caption`);
      continue;
    }
    try {
      const picture = reduced(await decodePicture(await file.bytes(), file.path));
      for (const caption of captions) pictures.push({ caption, name: file.path, picture });
    } catch (error) {
      skipped.push(`${file.path}: ${reason(error).split('\n')[0]}`);
    }
  }
  if (found.length > MOST_PICTURES) skipped.push(`${found.length - MOST_PICTURES} more pictures than the page takes`);
  if (pictures.length > 0) return { name, pictures, skipped };
  throw new TransfusionError({
    code: 'DATA_NO_EXAMPLES',
    message: `${name} has ${found.length} pictures, none of them with a caption that could be read`,
    fix: 'Put the caption of cat.png into cat.txt beside it, or all of them into metadata.jsonl or metadata.csv with file_name and text.',
  });
}

/** By the path of the picture; undefined where there is no captions file. */
async function listedCaptions(files: readonly FolderFile[]): Promise<Map<string, string[]> | undefined> {
  const lists = files.filter(({ path }) => isCaptionsFile(path));
  if (lists.length === 0) return undefined;
  const captions = new Map<string, string[]>();
  // The nearest one speaks for a picture.
  for (const { path, bytes } of lists.sort((a, b) => b.path.length - a.path.length)) {
    for (const [name, own] of readCaptionLines(new TextDecoder().decode(await bytes()), path)) {
      if (!captions.has(name)) captions.set(name, own);
    }
  }
  return captions;
}

async function captionBeside(path: string, files: ReadonlyMap<string, FolderFile>): Promise<string[]> {
  const stem = path.replace(/\.\w+$/, '');
  const beside = files.get(`${stem}.txt`) ?? files.get(`${stem}.caption`);
  if (!beside) return [];
  const text = new TextDecoder().decode(await beside.bytes());
  const caption = text.trim().replaceAll(/\s+/g, ' ');
  return caption === '' ? [] : [caption];
}

function reduced(picture: Picture): Picture {
  const side = Math.min(picture.width, picture.height);
  return side <= MOST_SIDE ? picture : fitImage(picture, { width: MOST_SIDE, height: MOST_SIDE });
}

/** As training takes them: the centre of each, in squares of one size. */
export function trainingImages(pictures: readonly CaptionedPicture[], size: number): CaptionedImage[] {
  return pictures.map(({ caption, name, picture }) => {
    const { data } = fitImage(picture, { width: size, height: size });
    return { caption, name, group: name, width: size, height: size, pixels: toBytes(data) };
  });
}

export function describeDataset({ name, pictures, skipped }: PictureDataset): DatasetInfo {
  const samples = pictures.slice(0, 16).map(({ caption, picture }) => ({ caption, picture }));
  return { name, pictures: pictures.length, skipped, samples };
}
