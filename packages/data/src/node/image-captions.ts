/** @file Captions of picture files: a text file beside each, or one file for many, as JSON lines or CSV. */
import { readFile, stat } from 'node:fs/promises';
import { reason, TransfusionError } from '@transfusion/core';
import { parse } from 'csv-parse/sync';
import {
  addCaption,
  type CaptionsOf,
  collapse,
  findColumns,
  formatError,
  MOST_CAPTION,
  parseRow,
} from './caption-row.js';
import { decodeText } from './decode-text.js';
import type { ListedFile } from './list-folder.js';
import { readCaptionParquet } from './parquet-captions.js';
import { readInput } from './read-input.js';

/** Most bytes of a captions file: about a million captions. */
const MOST_BYTES = 2 ** 28;
/** Most characters of a row of CSV, so that a quote that nobody closes ends somewhere. */
const MOST_ROW = 2 ** 21;

/** The caption in a text file; empty where it has none, or the reason why it cannot be read. */
export async function readCaption(file: ListedFile): Promise<{ caption: string } | { problem: string }> {
  const wrong = (why: string) => ({ problem: `its caption ${file.name}: ${why}` });
  if (file.problem) return wrong(file.problem);
  if (file.size > MOST_CAPTION) return wrong(`it has ${file.size} bytes, the most is ${MOST_CAPTION}`);
  try {
    const decoded = decodeText(await readFile(file.path));
    return 'problem' in decoded ? wrong(decoded.problem) : { caption: collapse(decoded.text) };
  } catch (error) {
    return wrong(reason(error));
  }
}

/**
 * The captions in a file: CSV or Parquet where its name ends so, else JSON lines.
 *
 * @param beside see `parseRow`
 * @throws TransfusionError DATA_UNREADABLE, DATA_CAPTIONS_FORMAT
 */
export async function readCaptionsFile(path: string, beside: string): Promise<CaptionsOf> {
  if (/\.parquet$/i.test(path)) return orNothing(await readCaptionParquet(path, beside), path);
  const { size } = await readInput('captions', path, () => stat(path));
  if (size > MOST_BYTES) throw formatError(path, `it has ${size} bytes, the most is ${MOST_BYTES}`);
  const bytes = await readInput('captions', path, () => readFile(path));
  const found = /\.csv$/i.test(path) ? parseCaptionTable(bytes, path, beside) : parseCaptionLines(bytes, path, beside);
  return orNothing(found, path);
}

/** @throws TransfusionError DATA_CAPTIONS_FORMAT */
function orNothing(found: CaptionsOf, path: string): CaptionsOf {
  if (found.size > 0) return found;
  // It would hide the text files beside the pictures.
  throw new TransfusionError({
    code: 'DATA_CAPTIONS_FORMAT',
    message: `${path}: it names no picture`,
    fix: 'write its lines, or remove it: captions are then read from NAME.txt beside each picture',
  });
}

/**
 * JSON lines to captions by the pictures' names: `file_name` (or `image`), relative and with `/`, and `text` (or `caption`).
 * A picture may have several, or none, where its text is empty or null.
 *
 * @param path names the file in errors
 * @throws TransfusionError DATA_CAPTIONS_FORMAT: a line is not what it should be, or its name leaves the folder
 */
export function parseCaptionLines(bytes: Uint8Array, path: string, beside = ''): CaptionsOf {
  const captionsOf: CaptionsOf = new Map();
  for (const [index, line] of decode(bytes, path).split('\n').entries()) {
    if (line.trim() === '') continue;
    const where = `${path}, line ${index + 1}`;
    addCaption(captionsOf, parseRow(parseJson(line, where), beside, where));
  }
  return captionsOf;
}

function parseJson(line: string, where: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw formatError(where, reason(error));
  }
}

/** As `parseCaptionLines`, of CSV with a line of column names. @throws TransfusionError DATA_CAPTIONS_FORMAT */
export function parseCaptionTable(bytes: Uint8Array, path: string, beside = ''): CaptionsOf {
  const captionsOf: CaptionsOf = new Map();
  const checkHeader = (header: string[]) => {
    const columns = header.map((column) => column.trim());
    const twice = columns.find((column, i) => columns.indexOf(column) < i);
    if (twice !== undefined) throw formatError(path, `it has two columns ${JSON.stringify(twice)}`);
    if (columns.length === 1 && columns[0].includes(';')) {
      throw formatError(path, 'its columns are separated by semicolons: save it with commas');
    }
    findColumns(columns, path);
    return columns;
  };
  try {
    parse(decode(bytes, path), {
      columns: checkHeader,
      skip_empty_lines: true,
      max_record_size: MOST_ROW,
      on_record: (row, { lines }) => {
        addCaption(captionsOf, parseRow(row, beside, `${path}, line ${lines}`));
        return null;
      },
    });
  } catch (error) {
    if (TransfusionError.isInstance(error)) throw error;
    throw formatError(path, reason(error));
  }
  return captionsOf;
}

function decode(bytes: Uint8Array, path: string): string {
  const decoded = decodeText(bytes);
  if ('problem' in decoded) throw formatError(path, decoded.problem);
  return decoded.text;
}
