/** @file Files of captions, as in Hugging Face's imagefolder: `captions` or `metadata`, `.jsonl` or `.csv`. */
import { TransfusionError } from '@transfusion/core';

const NAME = /(^|\/)(captions|metadata)\.(jsonl|csv)$/;

export function isCaptionsFile(path: string): boolean {
  return NAME.test(path);
}

/** Captions by the path of the picture, which a line names relative to its file. @throws TransfusionError DATA_CAPTIONS_FORMAT */
export function readCaptionLines(text: string, path: string): Map<string, string[]> {
  const plain = text.replace(/^\uFEFF/, '');
  const rows = path.endsWith('.csv') ? csvRows(plain, path) : jsonRows(plain, path);
  const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/') + 1) : '';
  const captions = new Map<string, string[]>();
  rows.forEach((row, i) => {
    const where = `${path}: row ${i + 1}`;
    const name = row['file_name'] ?? row['image'] ?? named(row);
    const caption = row['text'] ?? row['caption'];
    if (typeof name !== 'string' || name === '') throw formatError(where, 'it has no file_name');
    if (caption !== null && caption !== undefined && typeof caption !== 'string') {
      throw formatError(where, 'its text is no text');
    }
    const key = normalised(folder + name);
    const own = captions.get(key) ?? [];
    captions.set(key, own);
    const collapsed = (caption ?? '').trim().replaceAll(/\s+/g, ' ');
    if (collapsed !== '') own.push(collapsed);
  });
  return captions;
}

type Row = Record<string, unknown>;

function named(row: Row): unknown {
  const names = Object.keys(row).filter((key) => key.endsWith('_file_name'));
  return names.length === 1 ? row[names[0]] : undefined;
}

function jsonRows(text: string, path: string): Row[] {
  const lines = text.split(/\r?\n/).map((line, i) => ({ line, where: `${path}: line ${i + 1}` }));
  return lines
    .filter(({ line }) => line.trim() !== '')
    .map(({ line, where }) => {
      try {
        const row: unknown = JSON.parse(line);
        if (typeof row === 'object' && row !== null && !Array.isArray(row)) return row as Row;
      } catch {
        throw formatError(where, 'it is no JSON');
      }
      throw formatError(where, 'it is no object');
    });
}

/** RFC 4180: quoted fields may hold commas, quotes (doubled) and line breaks. */
function csvRows(text: string, path: string): Row[] {
  const records = csvRecords(text, path).filter((record) => record.some((field) => field !== ''));
  const [header, ...rest] = records;
  if (!header) return [];
  return rest.map((record) => Object.fromEntries(header.map((column, i) => [column.trim(), record[i] ?? ''])));
}

function csvRecords(text: string, path: string): string[][] {
  const records: string[][] = [[]];
  const last = () => records[records.length - 1];
  const field = /(?:"((?:[^"]|"")*)"|([^,"\r\n]*))(,|\r?\n|$)/y;
  while (field.lastIndex < text.length) {
    const begin = field.lastIndex;
    const match = field.exec(text);
    if (!match) throw formatError(path, `a quote is not closed after character ${begin}`);
    last().push(match[1]?.replaceAll('""', '"') ?? match[2]);
    if (match[3] === '') break;
    if (match[3] !== ',') records.push([]);
  }
  return records;
}

/** Without `.` and `..`. */
function normalised(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

function formatError(where: string, why: string): TransfusionError {
  return new TransfusionError({
    code: 'DATA_CAPTIONS_FORMAT',
    message: `${where}: ${why}`,
    fix: 'Give lines like {"file_name": "cat.png", "text": "a cat"}, or a .csv file with the columns file_name,text.',
  });
}
