/** @file The captions of a folder of pictures: in captions files there, or in a text file beside each picture. */
import { posix, resolve } from 'node:path';
import { TransfusionError } from '@transfusion/core';
import type { CaptionsOf } from './caption-row.js';
import { readCaption, readCaptionsFile } from './image-captions.js';
import type { ListedFile } from './list-folder.js';
import { withoutExtension } from './picture-names.js';

/** In any folder; the first that a folder has is read. `metadata` as in Hugging Face's imagefolder. */
const CAPTIONS_FILES = ['captions.jsonl', 'captions.csv', 'metadata.jsonl', 'metadata.csv', 'metadata.parquet'];
/** Of the text file beside a picture; the first that there is is read. */
const BESIDE = ['.txt', '.TXT', '.caption'];

export interface FolderCaptions {
  /** Pictures that captions files name, whether they are there or not. */
  named: string[];
  /** The captions file that speaks for a picture, if one does; text files are then not looked for. */
  fileFor(name: string): string | undefined;
  /** None where the array is empty. `problem`: why they cannot be read. */
  captionsOf(name: string): Promise<{ captions: string[] } | { problem: string }>;
  /** What becomes of a file that looks like captions; undefined where it does not. */
  roleOf(name: string, isPicture: (stem: string) => boolean): CaptionsRole | undefined;
}

/** `reason`: why it is not used. */
export type CaptionsRole = 'used' | { reason: string };

/** Where no captions are wanted: what looks like captions is passed over. */
export const noCaptions: FolderCaptions = {
  named: [],
  fileFor: () => undefined,
  captionsOf: async () => ({ captions: [] }),
  roleOf: (name, isPicture) => {
    const isBeside = BESIDE.includes(posix.extname(name)) && isPicture(withoutExtension(name));
    return isBeside || CAPTIONS_FILES.includes(posix.basename(name)) ? 'used' : undefined;
  },
};

/**
 * Reads the captions files of a folder. One of them speaks for its own folder and those in it, where text files are then not
 * looked for; what the nearest file says of a picture counts.
 *
 * @param files of the folder, by name
 * @param given a captions file to use instead, with names relative to the folder
 * @throws TransfusionError DATA_UNREADABLE, DATA_CAPTIONS_FORMAT
 */
export async function findCaptions(
  files: ReadonlyMap<string, ListedFile>,
  given: string | undefined,
): Promise<FolderCaptions> {
  const places = given === undefined ? findCaptionsFiles(files) : new Map([['', given]]);
  const captionsOf: CaptionsOf = new Map();
  for (const [folder, path] of [...places].sort(([a], [b]) => b.length - a.length)) {
    const found = await readCaptionsFile(path, folder);
    for (const [name, captions] of found) if (!captionsOf.has(name)) captionsOf.set(name, captions);
  }
  const fileFor = (name: string) => {
    const folder = foldersAbove(name).find((each) => places.has(each));
    return folder === undefined ? undefined : places.get(folder);
  };
  const isSpokenFor = (name: string) => fileFor(name) !== undefined;
  const read = new Set([...places.values()].map((path) => resolve(path)));
  return {
    named: [...captionsOf.keys()],
    fileFor,
    captionsOf: async (name) => {
      if (isSpokenFor(name)) return { captions: captionsOf.get(name) ?? [] };
      const beside = besideOf(name, files);
      if (!beside) return { captions: [] };
      const caption = await readCaption(beside);
      return 'problem' in caption ? caption : { captions: caption.caption === '' ? [] : [caption.caption] };
    },
    roleOf: (name, isPicture) => {
      const file = files.get(name);
      if (file && read.has(resolve(file.path))) return 'used';
      if (CAPTIONS_FILES.includes(posix.basename(name))) return { reason: 'another captions file is read instead' };
      if (!BESIDE.includes(posix.extname(name))) return undefined;
      const stem = withoutExtension(name);
      if (!isPicture(stem)) return { reason: 'there is no picture of that name beside it' };
      if (isSpokenFor(name)) return { reason: 'captions are read from a captions file instead' };
      const taken = besideOf(name, files)?.name ?? name;
      return taken === name ? 'used' : { reason: `${posix.basename(taken)} is read instead` };
    },
  };
}

/** Paths by the folder they are in, which is '' for the one of pictures. */
function findCaptionsFiles(files: ReadonlyMap<string, ListedFile>): Map<string, string> {
  const places = new Map<string, string>();
  for (const kind of CAPTIONS_FILES) {
    for (const file of files.values()) {
      const folder = folderOf(file.name);
      if (posix.basename(file.name) !== kind || places.has(folder)) continue;
      if (file.problem) throw unreadable(file);
      places.set(folder, file.path);
    }
  }
  return places;
}

function besideOf(name: string, files: ReadonlyMap<string, ListedFile>): ListedFile | undefined {
  const stem = withoutExtension(name);
  return BESIDE.map((extension) => files.get(stem + extension)).find((file) => file !== undefined);
}

function folderOf(name: string): string {
  const folder = posix.dirname(name);
  return folder === '.' ? '' : folder;
}

/** Of `a/b/c.png`: `a/b`, `a` and ''. */
function foldersAbove(name: string): string[] {
  const folder = folderOf(name);
  return folder === '' ? [''] : [folder, ...foldersAbove(folder)];
}

function unreadable(file: ListedFile): TransfusionError {
  return new TransfusionError({
    code: 'DATA_UNREADABLE',
    message: `captions ${file.path}: ${file.problem}`,
    fix: 'put the file itself there',
  });
}
