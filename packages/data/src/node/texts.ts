/** @file Text files as documents to train on: one each, or one a line. */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { reason, TransfusionError } from '@transfusion/core';
import type { BrokenFile } from '../image-dataset.js';
import type { TextDataset, TextDocument } from '../text-dataset.js';
import { IS_DOCUMENT, tooManyBroken } from '../too-many-broken.js';
import { decodeText } from './decode-text.js';
import { folderSplit, type Split, splitOfWords } from './folder-split.js';
import { parseJsonLine } from './json-line.js';
import { countKinds } from './left-out.js';
import { type ListedFile, listFolder } from './list-folder.js';
import { readInput } from './read-input.js';
import { readLines } from './text-lines.js';

const DOCUMENT = /\.(txt|md)$/i;
const LINES = /\.(jsonl|ndjson)(\.gz)?$/i;
/** Most bytes of a document, in a file of its own or in a line. */
const MOST_DOCUMENT = 64 * 2 ** 20;
/** Most bytes of a file of lines, inflated. */
const MOST_LINES = 2 ** 31;
/** Most characters of all documents together: they are held in memory. */
const MOST_CHARACTERS = 2 ** 30;

export interface LoadTextsOptions {
  /**
   * A folder, with its subfolders, or one file. `.txt` and `.md` files are a document each; `.jsonl` and `.ndjson` (also `.gz`) have
   * one a line, in `text` or `content`. Hidden files, and links to folders or out of the folder, are not followed.
   */
  path: string;
  /** Only the first so many documents; of a dataset with a split, so many to train on and as many held out. Default: all. */
  count?: number;
  /** More than this share of broken documents stops the loading; default 0.01. */
  allowBroken?: number;
  /** In bytes of the files. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * Loads texts, sorted by file name. Text is kept as it is, but for a byte order mark, which goes, and CRLF, which becomes LF.
 * A file is a group; so is each line of a file of lines. Folders such as `train` and `test`, or where every file has such a word in its
 * name the files, give a split, where there are both.
 *
 * Broken is a file or line that is not UTF-8, no JSON with a text, or larger than 64 MiB. Empty texts are left out.
 *
 * @throws TransfusionError DATA_UNREADABLE; DATA_TEXTS_FORMAT: `path` is a file of another kind, or the texts have more than 2^30
 *   characters; DATA_TEXTS_EMPTY; DATA_BROKEN_FILES
 */
export async function loadTexts(options: LoadTextsOptions): Promise<TextDataset> {
  const { path, count = Number.POSITIVE_INFINITY, allowBroken = 0.01, onProgress } = options;
  const files = await listTexts(path);
  const taken = files.filter(isText);
  const total = taken.reduce((sum, { size }) => sum + size, 0);
  const splitOf = splitOfNames(taken.map(({ name }) => name));
  const dataset: TextDataset = { texts: [], broken: [], leftOut: files.filter((file) => !isText(file)).map(leftOut) };
  const room: Record<Split, number> = { train: count, heldOut: count };
  let [characters, done] = [0, 0];
  for (const file of taken) {
    const split = splitOf(file.name);
    const part = split ?? 'train';
    const onBytes = (bytes: number) => {
      done += bytes;
      onProgress?.(Math.min(done, total), total);
    };
    if (room[part] <= 0) continue;
    for await (const found of readTexts(file, onBytes)) {
      if ('problem' in found) dataset.broken.push({ path: found.where, reason: found.problem });
      else if (found.text.trim() === '') dataset.leftOut.push({ path: found.where, reason: 'it is empty' });
      else {
        characters += found.text.length;
        if (characters > MOST_CHARACTERS) throw tooLarge(path);
        dataset.texts.push({ text: found.text, name: found.name, group: found.group, ...(split && { split }) });
        room[part]--;
      }
      if (room[part] <= 0) break;
    }
  }
  const { texts, broken } = dataset;
  const documents = texts.length + broken.length;
  const isTooMuch = broken.length > allowBroken * documents || (texts.length === 0 && broken.length > 0);
  if (isTooMuch) throw tooManyBroken('texts', broken, documents, allowBroken);
  if (texts.length === 0) throw noTexts(path, files, dataset);
  return dataset;
}

async function listTexts(path: string): Promise<ListedFile[]> {
  const found = await readInput('texts', path, () => stat(path));
  if (found.isDirectory()) return listFolder(path);
  const name = basename(path);
  const file = { name, path, target: name, size: found.size, mtimeMs: found.mtimeMs };
  if (found.isFile() && isText(file)) return [file];
  throw new TransfusionError({
    code: 'DATA_TEXTS_FORMAT',
    message: `texts ${path}: ${found.isFile() ? leftOut(file).reason : 'it is neither a file nor a folder'}`,
    fix: FORMATS,
  });
}

const FORMATS = 'give .txt or .md files, or .jsonl files with a line like {"text": "..."} for each document, in UTF-8';

function isText({ name }: ListedFile): boolean {
  return DOCUMENT.test(name) || LINES.test(name);
}

function leftOut({ path, problem }: ListedFile): BrokenFile {
  return { path, reason: problem ?? 'it is not a .txt, .md, .jsonl or .ndjson file' };
}

/** By folders, or else by the files' names where each of them says one. */
function splitOfNames(names: readonly string[]): (name: string) => Split | undefined {
  const byFolder = folderSplit(names);
  if (names.some((name) => byFolder(name) !== undefined)) return byFolder;
  const byFile = (name: string) => splitOfWords(basename(name));
  const found = new Set(names.map(byFile));
  return found.size === 2 && !found.has(undefined) ? byFile : () => undefined;
}

/** `where` is the path, and the line of a file of lines. */
type Found = ({ where: string } & Omit<TextDocument, 'split'>) | { where: string; problem: string };

async function* readTexts(file: ListedFile, onBytes: (count: number) => void): AsyncGenerator<Found> {
  const { name, path, target, size, problem } = file;
  const most = LINES.test(name) ? MOST_LINES : MOST_DOCUMENT;
  if (problem !== undefined) yield { where: path, problem };
  else if (size > most) yield { where: path, problem: `it has ${size} bytes, the most is ${most}` };
  else if (LINES.test(name)) yield* readDocumentLines(file, onBytes);
  else {
    const bytes = await readFile(path).catch((error: Error) => error);
    const decoded = bytes instanceof Uint8Array ? decodeText(bytes) : { problem: bytes.message };
    yield 'problem' in decoded
      ? { where: path, problem: decoded.problem }
      : { where: path, text: withLineFeeds(decoded.text), name, group: target };
    onBytes(size);
  }
}

async function* readDocumentLines(file: ListedFile, onBytes: (count: number) => void): AsyncGenerator<Found> {
  let number = 0;
  try {
    for await (const line of readLines(file.path, { mostBytes: MOST_LINES, mostLine: MOST_DOCUMENT }, onBytes)) {
      number++;
      const where = `${file.path}, line ${number}`;
      const parsed = line ? parseLine(line) : { problem: `it has more than ${MOST_DOCUMENT} bytes` };
      if (!parsed) continue;
      const name = `${file.name}, line ${number}`;
      yield 'problem' in parsed
        ? { where, problem: parsed.problem }
        : { where, text: withLineFeeds(parsed.text), name, group: `${file.target}:${number}` };
    }
  } catch (error) {
    const where = number === 0 ? file.path : `${file.path}, after line ${number}`;
    yield { where, problem: reason(error) };
  }
}

/** Nothing where the line is blank. */
function parseLine(line: Uint8Array): { text: string } | { problem: string } | undefined {
  const parsed = parseJsonLine(line);
  if (!parsed || 'problem' in parsed) return parsed;
  const { json } = parsed;
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return { problem: 'it is no object with `text`' };
  const { text, content, parts } = json as Record<string, unknown>;
  const found = text ?? content;
  if (typeof found === 'string') return { text: found };
  if (Array.isArray(parts)) return { problem: IS_DOCUMENT };
  const columns = Object.keys(json).map((key) => JSON.stringify(key));
  return {
    problem: `it has no text in \`text\` or \`content\`; it has ${columns.slice(0, 10).join(', ') || 'nothing'}`,
  };
}

function withLineFeeds(text: string): string {
  return text.replaceAll('\r\n', '\n');
}

function tooLarge(path: string): TransfusionError {
  return new TransfusionError({
    code: 'DATA_TEXTS_FORMAT',
    message: `texts ${path}: they have more than ${MOST_CHARACTERS} characters, which is what is held in memory`,
    fix: 'take fewer (count), or split them over several runs',
  });
}

function noTexts(path: string, files: readonly ListedFile[], { leftOut }: TextDataset): TransfusionError {
  const contents = files.length === 0 ? 'it is empty' : `it has ${countKinds(files.map(({ name }) => name))}`;
  const example = leftOut[0] ? `; ${leftOut[0].path}: ${leftOut[0].reason}` : '';
  return new TransfusionError({
    code: 'DATA_TEXTS_EMPTY',
    message: `${path} has no text: ${contents}${example}`,
    fix: FORMATS,
  });
}
