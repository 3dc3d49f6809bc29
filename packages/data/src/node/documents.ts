/** @file Documents of texts and images in any order, from a file of JSON lines. */
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { reason, TransfusionError } from '@transfusion/core';
import type { SourceDocument, SourceImage, SourceText } from '../document.js';
import type { DocumentDataset } from '../document-dataset.js';
import type { BrokenFile } from '../image-dataset.js';
import type { ImageSize } from '../image-size.js';
import { tooManyBroken } from '../too-many-broken.js';
import { type DocumentRow, type DocumentRowPart, parseDocumentRow } from './document-row.js';
import { fileInside } from './file-inside.js';
import type { ListedFile } from './list-folder.js';
import { type LoadImagesOptions, loadImages } from './load-images.js';
import { readInput } from './read-input.js';
import { readLines } from './text-lines.js';

/** The file of a folder. */
const IN_FOLDER = 'documents.jsonl';
const LINES = /\.(jsonl|ndjson)(\.gz)?$/i;
/** Most bytes of a document, of a file (inflated), and most characters of all texts, which are held in memory. */
const MOST_DOCUMENT = 64 * 2 ** 20;
const MOST_FILE = 2 ** 31;
const MOST_CHARACTERS = 2 ** 30;

export interface LoadDocumentsOptions extends Omit<LoadImagesOptions, 'count'> {
  /** A file of JSON lines, `.jsonl` or `.ndjson` (also `.gz`), or a folder that has `documents.jsonl`. */
  path: string;
  /** Only the first so many documents; where they have a split, so many to train on and as many held out. Default: all. */
  count?: number;
  /** In place of `size`: each picture gets the one that is nearest in aspect ratio. `readImage` must not be given then. */
  sizes?: readonly ImageSize[];
}

/**
 * Loads documents, in lines like `{"parts": [{"image": "cat.png", "role": "context"}, {"text": "make it blue"}, {"image":
 * "blue-cat.png"}]}`. Texts may have `loss`, images `role`, `noiseCap` and `isExact` (see `SourceDocument`); a line may have `name`, `group` and
 * `split`, "train" or "heldOut". A line is a group of its own, unless it names one: give documents that share a picture one group
 * where they should be held out together. Images are relative to the file, and never outside of its folder; each is decoded once,
 * however many documents have it. Text is kept as it is, but CRLF becomes LF.
 *
 * Broken is a line that is not UTF-8, no such document, larger than 64 MiB, or one of whose images cannot be read.
 *
 * @throws TransfusionError DATA_UNREADABLE, DATA_DOCUMENTS_FORMAT, DATA_DOCUMENTS_EMPTY, DATA_BROKEN_FILES, DATA_CACHE_UNWRITABLE,
 *   DATA_SHARP_MISSING, DATA_SHARP_BROKEN
 */
export async function loadDocuments(options: LoadDocumentsOptions): Promise<DocumentDataset> {
  const { allowBroken = 0.01 } = options;
  const path = await findFile(options.path);
  const { rows, broken, leftOut } = await readRows(path, options.count);
  const total = rows.length + broken.length;
  const check = () => {
    const isAll = broken.length > 0 && broken.length === total;
    if (isAll || broken.length > allowBroken * total) throw tooManyBroken('documents', broken, total, allowBroken);
  };
  check();
  const imageOf = await readImages(await findImages(dirname(path), rows), options);
  const documents: SourceDocument[] = [];
  for (const { where, row, name, group } of rows) {
    const parts = row.parts.map((part) => (part.kind === 'text' ? part : imageOf(part)));
    const problem = parts.find((part) => 'problem' in part);
    if (problem) broken.push({ path: where, reason: problem.problem });
    else documents.push({ parts: parts.filter(isWhole), name, group, ...(row.split && { split: row.split }) });
  }
  check();
  if (documents.length === 0) throw noDocuments(path, leftOut);
  return { documents, broken, leftOut };
}

type Part = SourceText | SourceImage;
type RowImage = Extract<DocumentRowPart, { kind: 'image' }>;

function isWhole(part: Part | { problem: string }): part is Part {
  return !('problem' in part);
}

/** Decodes each file once. Returns the function from an image of a row to that of a document, or to why there is none. */
async function readImages(
  files: ReadonlyMap<string, ListedFile>,
  { size, sizes, count: _, allowBroken: __, ...others }: LoadDocumentsOptions,
): Promise<(part: RowImage) => SourceImage | { problem: string }> {
  // Several names may lead to one file.
  const targets = new Map([...files.values()].filter(isUsable).map((file) => [file.target, file]));
  const usable = [...targets.values()];
  const { decoded, broken } = await loadImages({
    // What is too much is a matter of documents.
    ...{ ...others, size, sizes, allowBroken: 1 },
    files: usable.map((file) => file.path),
    name: 'documents',
    key: JSON.stringify(usable.map((file) => [file.target, file.size, file.mtimeMs])),
  });
  const decodedOf = new Map(usable.map(({ target }, i) => [target, decoded[i]]));
  const reasonOf = new Map(broken.map((each) => [each.path, each.reason]));
  return ({ path, ...choices }) => {
    const { target, problem } = files.get(path)!;
    if (problem !== undefined) return { problem: `${path}: ${problem}` };
    const own = decodedOf.get(target);
    if (own) return { ...choices, ...own };
    return { problem: `${path}: ${reasonOf.get(targets.get(target)!.path)}` };
  };
}

function isUsable({ problem }: ListedFile): boolean {
  return problem === undefined;
}

/** @throws TransfusionError DATA_UNREADABLE, DATA_DOCUMENTS_FORMAT */
async function findFile(path: string): Promise<string> {
  const found = await readInput('documents', path, () => stat(path));
  if (found.isDirectory()) {
    const inside = join(path, IN_FOLDER);
    if (!(await readInput('documents', inside, () => stat(inside))).isFile()) throw otherKind(inside, 'it is no file');
    return inside;
  }
  if (found.isFile() && LINES.test(path)) return path;
  throw otherKind(path, found.isFile() ? 'it is not a .jsonl or .ndjson file' : 'it is neither a file nor a folder');
}

interface ReadRow {
  /** The file and the line. */
  where: string;
  name: string;
  group: string;
  row: DocumentRow;
}

interface ReadRows {
  rows: ReadRow[];
  broken: BrokenFile[];
  leftOut: BrokenFile[];
}

async function readRows(path: string, count = Number.POSITIVE_INFINITY): Promise<ReadRows> {
  const read: ReadRows = { rows: [], broken: [], leftOut: [] };
  const room = { train: count, heldOut: count };
  let [number, characters] = [0, 0];
  let hasSplit = false;
  try {
    for await (const line of readLines(path, { mostBytes: MOST_FILE, mostLine: MOST_DOCUMENT }, () => {})) {
      number++;
      const where = `${path}, line ${number}`;
      const row = line ? parseDocumentRow(line) : { problem: `it has more than ${MOST_DOCUMENT} bytes` };
      if (!row) continue;
      if ('problem' in row) read.broken.push({ path: where, reason: row.problem });
      else if (isEmpty(row)) read.leftOut.push({ path: where, reason: 'it is empty' });
      else if (room[row.split ?? 'train'] > 0) {
        characters += row.parts.reduce((sum, part) => sum + (part.kind === 'text' ? part.text.length : 0), 0);
        if (characters > MOST_CHARACTERS) throw tooLarge(path);
        const { name = `${basename(path)}, line ${number}`, group = `${basename(path)}:${number}` } = row;
        read.rows.push({ where, name, group, row });
        room[row.split ?? 'train']--;
        hasSplit ||= row.split !== undefined;
      }
      if (room.train <= 0 && (room.heldOut <= 0 || !hasSplit)) break;
    }
  } catch (error) {
    if (TransfusionError.isInstance(error)) throw error;
    read.broken.push({ path: number === 0 ? path : `${path}, after line ${number}`, reason: reason(error) });
  }
  return read;
}

function isEmpty({ parts }: DocumentRow): boolean {
  return parts.every((part) => part.kind === 'text' && part.text.trim() === '');
}

/** The files that documents name, by what they call them. */
async function findImages(folder: string, rows: readonly ReadRow[]): Promise<Map<string, ListedFile>> {
  const root = await readInput('folder', folder, () => realpath(folder));
  const files = new Map<string, ListedFile>();
  for (const { row } of rows) {
    for (const part of row.parts) {
      if (part.kind !== 'image' || files.has(part.path)) continue;
      files.set(part.path, await fileInside(folder, root, part.path));
    }
  }
  return files;
}

const FORMAT =
  'give UTF-8 with a line like {"parts": [{"image": "cat.png", "role": "context"}, {"text": "make it blue"}, {"image": "blue.png"}]} for each document';

function otherKind(path: string, why: string): TransfusionError {
  return new TransfusionError({ code: 'DATA_DOCUMENTS_FORMAT', message: `documents ${path}: ${why}`, fix: FORMAT });
}

function tooLarge(path: string): TransfusionError {
  return new TransfusionError({
    code: 'DATA_DOCUMENTS_FORMAT',
    message: `documents ${path}: their texts have more than ${MOST_CHARACTERS} characters, which is what is held in memory`,
    fix: 'take fewer (count), or split them over several runs',
  });
}

function noDocuments(path: string, leftOut: readonly BrokenFile[]): TransfusionError {
  const example = leftOut[0] ? `; ${leftOut.length} are empty, the first is ${leftOut[0].path}` : ': it is empty';
  return new TransfusionError({
    code: 'DATA_DOCUMENTS_EMPTY',
    message: `${path} has no document${example}`,
    fix: FORMAT,
  });
}
