/** @file Which texts are held out. */
import { splitDataset, type TextDocument } from '@transfusion/data';

/**
 * A dataset's own split; else whole texts, by their names, of which all together have no more than `fraction` of the tokens: a
 * text that is a larger part of all than that is trained on.
 */
export function splitTextExamples<Text extends Pick<TextDocument, 'group' | 'split'> & { ids: readonly number[] }>(
  texts: readonly Text[],
  fraction: number,
): { train: Text[]; heldOut: Text[] } {
  const { train, heldOut } = splitDataset({ images: texts, fraction, by: 'name' });
  if (texts.some(({ split }) => split !== undefined)) return { train, heldOut };
  const most = fraction * texts.reduce((sum, { ids }) => sum + ids.length, 0);
  const kept = new Set<Text>();
  let held = 0;
  for (const text of [...heldOut].sort((a, b) => a.ids.length - b.ids.length)) {
    held += text.ids.length;
    if (held > most) break;
    kept.add(text);
  }
  return { train: texts.filter((text) => !kept.has(text)), heldOut: texts.filter((text) => kept.has(text)) };
}
