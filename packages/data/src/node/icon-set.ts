/** @file Emoji in an icon set of Iconify: SVG drawings in one JSON file, named after what they are called. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reason, TransfusionError } from '@transfusion/core';
import { z } from 'zod';
import type { EmojiLabel } from './emoji-labels.js';
import { readInput } from './read-input.js';

const side = z.number().min(1).max(4096);
const edge = z.number().min(-4096).max(4096);
const view = { left: edge.optional(), top: edge.optional(), width: side.optional(), height: side.optional() };
const iconSetSchema = z.object({
  ...view,
  icons: z.record(z.string(), z.object({ ...view, body: z.string() })),
  aliases: z.record(z.string(), z.object({ parent: z.string() })).default({}),
});
type View = { [Key in keyof typeof view]?: number };

/** Drawings by the hexcode of their emoji, as SVG files. */
export type IconSet = ReadonlyMap<string, string>;

/**
 * The drawings of those emoji whose label is an icon's name: "waving-hand-dark-skin-tone" is "waving hand: dark skin tone". Or another
 * name of an icon whose own name is no label: that "cricket" is also "cricket-game" does not make it an insect. Older sets have older
 * names: what is called otherwise now is left out.
 *
 * @param folder of a package such as `@iconify-json/noto-v1`, with `icons.json`
 * @throws TransfusionError DATA_UNREADABLE, DATA_ICONS_FORMAT
 */
export async function readIconSet(folder: string, labels: readonly EmojiLabel[]): Promise<IconSet> {
  const path = join(folder, 'icons.json');
  const { icons, aliases, ...set } = parse(path, await readInput('icons', path, () => readFile(path, 'utf8')));
  const known = new Set(labels.map(({ label }) => plain(label)));
  const byName = new Map<string, string>();
  for (const name of Object.keys(icons)) byName.set(plain(name), name);
  for (const [name, { parent }] of Object.entries(aliases)) {
    const isFree = Object.hasOwn(icons, parent) && !known.has(plain(parent));
    if (isFree && !byName.has(plain(name))) byName.set(plain(name), parent);
  }
  return new Map(
    labels.flatMap(({ hexcode, label }) => {
      const name = byName.get(plain(label));
      if (name === undefined) return [];
      const { body, ...own } = icons[name];
      return [[hexcode, svgOf(body, { ...set, ...own })] as const];
    }),
  );
}

function svgOf(body: string, { left = 0, top = 0, width = 16, height = 16 }: View): string {
  const names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"';
  return `<svg ${names} width="${width}" height="${height}" viewBox="${left} ${top} ${width} ${height}">${body}</svg>`;
}

/** Letters and digits alone, flags as emojibase calls them: "flag-for-flag-japan", "flag-for-japan" and "flag: japan" are one. */
function plain(name: string): string {
  return name
    .toLowerCase()
    .normalize('NFD')
    .replace(/^flag-for-(flag-)?/, 'flag')
    .replaceAll(/[^a-z0-9#*]/g, '');
}

function parse(path: string, text: string): z.output<typeof iconSetSchema> {
  try {
    return iconSetSchema.parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error).split('\n')[0] : reason(error);
    throw new TransfusionError({
      code: 'DATA_ICONS_FORMAT',
      message: `${path}: not an icon set of Iconify: ${why}`,
      fix: 'give the folder of a package such as @iconify-json/noto-v1',
      cause: error,
    });
  }
}
