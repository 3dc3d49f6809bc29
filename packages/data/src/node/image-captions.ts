/** @file Captions of picture files: a text file beside each, or one file of JSON lines. */
import { readFile, stat } from 'node:fs/promises';
import { posix, win32 } from 'node:path';
import { TransfusionError } from '@transfusion/tensor';
import { z } from 'zod';
import type { ListedFile } from './list-folder.js';
import { readInput } from './read-input.js';

/** Most bytes of a caption's text file, and most characters of a caption among JSON lines. */
const MOST_CAPTION = 16_384;
/** Most bytes of a file of JSON lines: about a million captions. */
const MOST_LINES = 2 ** 28;

const nameSchema = z
  .string()
  .min(1)
  .max(4096)
  .refine((name) => !name.includes('\0'), 'contains NUL')
  .refine((name) => !posix.isAbsolute(name) && !win32.isAbsolute(name), 'is not relative to the folder')
  .transform((name) => posix.normalize(name))
  .refine((name) => name !== '..' && !name.startsWith('../'), 'leaves the folder');

const lineSchema = z.preprocess(
  (line) => {
    if (typeof line !== 'object' || line === null) return line;
    const fields = line as Record<string, unknown>;
    return { file_name: fields.file_name ?? fields.image, text: 'text' in fields ? fields.text : fields.caption };
  },
  z.object({ file_name: nameSchema, text: z.string().max(MOST_CAPTION).nullable() }),
);

/** The caption in a text file; empty where it has none, or the reason why it cannot be read. */
export async function readCaption(file: ListedFile): Promise<{ caption: string } | { problem: string }> {
  const wrong = (why: string) => ({ problem: `its caption ${file.name}: ${why}` });
  if (file.problem) return wrong(file.problem);
  if (file.size > MOST_CAPTION) return wrong(`it has ${file.size} bytes, the most is ${MOST_CAPTION}`);
  try {
    const text = decodeUtf8(await readFile(file.path));
    return text === undefined ? wrong('it is not UTF-8') : { caption: collapse(text) };
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error));
  }
}

/** The captions in a file of JSON lines. @throws TransfusionError DATA_UNREADABLE, DATA_CAPTIONS_FORMAT */
export async function readCaptionLines(path: string): Promise<Map<string, string[]>> {
  const { size } = await readInput('captions', path, () => stat(path));
  if (size > MOST_LINES) throw formatError(path, `it has ${size} bytes, the most is ${MOST_LINES}`);
  return parseCaptionLines(await readInput('captions', path, () => readFile(path)), path);
}

/**
 * JSON lines to captions by the pictures' names: `file_name` (or `image`), relative and with `/`, and `text` (or `caption`).
 * A picture may have several, or none, where its text is empty or null.
 *
 * @param path names the file in errors
 * @throws TransfusionError DATA_CAPTIONS_FORMAT: a line is not what it should be, or its name leaves the folder
 */
export function parseCaptionLines(bytes: Uint8Array, path: string): Map<string, string[]> {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw formatError(path, 'it is not UTF-8');
  const captionsOf = new Map<string, string[]>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const { file_name, text: caption } = parseLine(line, `${path}, line ${index + 1}`);
    const captions = captionsOf.get(file_name) ?? [];
    captionsOf.set(file_name, captions);
    const collapsed = collapse(caption ?? '');
    if (collapsed !== '') captions.push(collapsed);
  }
  return captionsOf;
}

function parseLine(line: string, where: string): z.output<typeof lineSchema> {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    throw formatError(where, error instanceof Error ? error.message : String(error));
  }
  const parsed = lineSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw formatError(where, `${path.map((key) => `${String(key)}: `).join('')}${message}`);
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function collapse(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ');
}

function formatError(where: string, why: string): TransfusionError {
  return new TransfusionError({
    code: 'DATA_CAPTIONS_FORMAT',
    message: `${where}: ${why}`,
    fix: 'give a line of UTF-8 for each picture, like {"file_name": "cat.png", "text": "a cat"}',
  });
}
