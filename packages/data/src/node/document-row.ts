/** @file One line of a file of documents. */
import { posix, win32 } from 'node:path';
import { z } from 'zod';
import type { ImageRole } from '../document.js';
import { IS_TEXT } from '../too-many-broken.js';
import { type Split, splitOfWords } from './folder-split.js';
import { parseJsonLine } from './json-line.js';

const pathSchema = z
  .string()
  .min(1)
  .max(4096)
  .refine((path) => !path.includes('\0'), 'contains NUL')
  .refine((path) => !posix.isAbsolute(path) && !win32.isAbsolute(path), 'is not relative to the file of documents')
  .transform((path) => posix.normalize(path))
  .refine((path) => path !== '..' && !path.startsWith('../'), 'leaves the folder of the file of documents');

const textSchema = z.strictObject({ text: z.string(), loss: z.boolean().optional() });
const imageSchema = z.strictObject({
  image: pathSchema,
  role: z.enum(['target', 'context']).optional(),
  noiseCap: z.int().min(1).optional(),
  isExact: z.boolean().optional(),
});
/** Fields that others keep there do not matter; a field of a part that is not known would change what is learned. */
const rowSchema = z.object({
  parts: z.array(z.unknown()).min(1),
  name: z.string().min(1).max(1024).optional(),
  group: z.string().min(1).max(1024).optional(),
  split: z.string().optional(),
});

export type DocumentRowPart =
  | { kind: 'text'; text: string; loss?: boolean }
  | { kind: 'image'; path: string; role?: ImageRole; noiseCap?: number; isExact?: boolean };

export interface DocumentRow {
  parts: DocumentRowPart[];
  name?: string;
  group?: string;
  split?: Split;
}

type Problem = { problem: string };

/** The document in a line, or why there is none; nothing where the line is blank. */
export function parseDocumentRow(line: Uint8Array): DocumentRow | Problem | undefined {
  const parsed = parseJsonLine(line);
  if (!parsed || 'problem' in parsed) return parsed;
  const { json } = parsed;
  const row = rowSchema.safeParse(json);
  if (!row.success) return { problem: isText(json) ? IS_TEXT : described(row.error, 'it is no object with `parts`') };
  const { parts: given, split: word, ...names } = row.data;
  const parts: DocumentRowPart[] = [];
  for (const [index, each] of given.entries()) {
    const part = parsePart(each);
    if ('problem' in part) return { problem: `parts[${index}]: ${part.problem}` };
    parts.push(part);
  }
  if (word === undefined) return { parts, ...names };
  const split = word === 'heldOut' ? word : splitOfWords(word);
  if (split === undefined) return { problem: `split: ${JSON.stringify(word)}, expected "train" or "heldOut"` };
  return { parts, ...names, split };
}

function isText(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'text' in json && !('parts' in json);
}

function parsePart(given: unknown): DocumentRowPart | Problem {
  const isImage = typeof given === 'object' && given !== null && 'image' in given;
  if (isImage) {
    const image = imageSchema.safeParse(given);
    if (!image.success) return { problem: described(image.error, 'it is no image') };
    const { image: path, ...others } = image.data;
    return { kind: 'image', path, ...others };
  }
  const text = textSchema.safeParse(given);
  if (!text.success) return { problem: described(text.error, 'it is no object with `text` or `image`') };
  return { kind: 'text', text: text.data.text.replaceAll('\r\n', '\n'), ...lossOf(text.data) };
}

function lossOf({ loss }: { loss?: boolean }) {
  return loss === undefined ? {} : { loss };
}

/** The first thing that is wrong. @param whole what to say where the value is of another type */
function described({ issues: [first] }: z.ZodError, whole: string): string {
  return first.path.length === 0 && first.code === 'invalid_type' ? whole : where(first) + first.message;
}

function where({ path }: { path: PropertyKey[] }): string {
  return path.length === 0 ? '' : `${path.map(String).join('.')}: `;
}
