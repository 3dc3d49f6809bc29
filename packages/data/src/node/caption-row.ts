/** @file One row of a captions file: a picture's name and its caption. */
import { posix, win32 } from 'node:path';
import { TransfusionError } from '@transfusion/core';
import { z } from 'zod';

/** Most bytes of a caption's text file, and most characters of a caption in a captions file. */
export const MOST_CAPTION = 2 ** 20;

const nameSchema = z
  .string()
  .min(1)
  .max(4096)
  .refine((name) => !name.includes('\0'), 'contains NUL')
  .refine((name) => !posix.isAbsolute(name) && !win32.isAbsolute(name), 'is not relative to the folder');

const textSchema = z.string().max(MOST_CAPTION).nullable();

export interface CaptionRow {
  /** Of the picture, relative to the folder of pictures. */
  name: string;
  /** Empty where there is none. White space is collapsed. */
  caption: string;
}

/** Captions by the pictures' names. A picture may have several, or none. */
export type CaptionsOf = Map<string, string[]>;

export function addCaption(captionsOf: CaptionsOf, { name, caption }: CaptionRow): void {
  const captions = captionsOf.get(name) ?? [];
  captionsOf.set(name, captions);
  if (caption !== '') captions.push(caption);
}

/** Which columns have the name and the caption. @throws TransfusionError DATA_CAPTIONS_FORMAT, naming the columns that there are */
export function findColumns(columns: readonly string[], where: string): { name: string; text: string } {
  const own = columns.filter((column) => column.endsWith('_file_name'));
  const name = ['file_name', 'image'].find((each) => columns.includes(each)) ?? (own.length === 1 ? own[0] : undefined);
  const text = ['text', 'caption'].find((each) => columns.includes(each));
  if (name !== undefined && text !== undefined) return { name, text };
  const lacking = name === undefined ? '`file_name` (or `image`)' : '`text` (or `caption`)';
  throw formatError(where, `it has no ${lacking}; it has ${columns.map((each) => JSON.stringify(each)).join(', ')}`);
}

/**
 * A row of values of any kind.
 *
 * @param beside the folder that names are relative to, itself relative to the folder of pictures, as '' or 'train'
 * @throws TransfusionError DATA_CAPTIONS_FORMAT
 */
export function parseRow(row: unknown, beside: string, where: string): CaptionRow {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    throw formatError(where, 'it is no object with `file_name` and `text`');
  }
  const fields = Object.fromEntries(
    Object.entries(row).filter(([key, value]) => value !== null || key !== 'file_name'),
  );
  const columns = findColumns(Object.keys(fields), where);
  const name = posix.normalize(
    posix.join(beside, check(nameSchema, fields[columns.name], `${where}: ${columns.name}`)),
  );
  if (name === '..' || name.startsWith('../')) throw formatError(where, `${columns.name}: leaves the folder`);
  const text = check(textSchema, fields[columns.text], `${where}: ${columns.text}`);
  return { name, caption: collapse(text ?? '') };
}

function check<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw formatError(where, parsed.error.issues[0].message);
}

export function collapse(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ');
}

export function formatError(where: string, why: string): TransfusionError {
  return new TransfusionError({
    code: 'DATA_CAPTIONS_FORMAT',
    message: `${where}: ${why}`,
    fix:
      'give UTF-8: lines like {"file_name": "cat.png", "text": "a cat"}, or a .csv file with the columns file_name,text. ' +
      "A file that is about something else needs another name; captions: 'none' reads no captions",
  });
}
