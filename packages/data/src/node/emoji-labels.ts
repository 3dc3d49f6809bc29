/** @file The labels of emoji, from emojibase. */
import { readFile } from 'node:fs/promises';
import { TransfusionError } from '@transfusion/core';
import { z } from 'zod';
import { readInput } from './read-input.js';

const skinSchema = z.object({ label: z.string().min(1), hexcode: z.string().min(1) });
const emojibaseSchema = z
  .array(skinSchema.extend({ skins: z.array(skinSchema).optional(), tags: z.array(z.string()).optional() }))
  .max(100_000);

export interface EmojiLabel {
  /** Code points in hexadecimal, joined by `-`. */
  hexcode: string;
  /** In lower case. */
  label: string;
  /** Words for it; a skin tone has those of its emoji. */
  tags: readonly string[];
}

/** Packages write case and U+FE0F (emoji presentation) inconsistently: compare without them. */
export function normalizeHexcode(hexcode: string): string {
  return hexcode.toLowerCase().replaceAll('-fe0f', '');
}

/** What was read last: checking takes longer than all the rest, and a process that opens several runs reads the same file. */
let last: { text: string; labels: readonly EmojiLabel[] } | undefined;

/** @throws TransfusionError DATA_UNREADABLE, DATA_CAPTIONS_FORMAT */
export async function readEmojiLabels(path: string): Promise<readonly EmojiLabel[]> {
  const text = await readInput('captions', path, () => readFile(path, 'utf8'));
  if (last?.text === text) return last.labels;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    json = error;
  }
  const parsed = emojibaseSchema.safeParse(json);
  if (!parsed.success) {
    throw new TransfusionError({
      code: 'DATA_CAPTIONS_FORMAT',
      message: `${path}: not an emojibase data.json: ${z.prettifyError(parsed.error).split('\n')[0]}`,
      fix: 'give the path of emojibase-data/en/data.json',
    });
  }
  const labels = parsed.data.flatMap(({ label, hexcode, skins = [], tags = [] }) =>
    [{ label, hexcode }, ...skins].map((each) => ({ hexcode: each.hexcode, label: each.label.toLowerCase(), tags })),
  );
  last = { text, labels };
  return labels;
}
