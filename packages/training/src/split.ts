/** @file Which of the examples are held out: fields of a configuration, and what follows from them. */
import { TransfusionError } from '@transfusion/core';
import { type CaptionedImage, splitDataset } from '@transfusion/data';
import { z } from 'zod';

export const heldOutFields = {
  heldOutFraction: z
    .number()
    .min(0)
    .max(0.9)
    .default(0.02)
    .describe('share of the examples kept for evaluation, the same ones for every seed'),
  heldOutBy: z
    .enum(['name', 'list', 'cells'])
    .nullable()
    .default(null)
    .describe(
      'what decides which are held out: name: that of each, so that an added picture moves no more than one other; list: all of them together; cells: of emoji in styles, 5 % of the emoji, which models/emoji-64-kl never saw, and of 12 % of the others one style, whatever heldOutFraction is; null: name for a folder and data.documents, list for datasets that never change',
    ),
};

interface HeldOutConfig {
  heldOutFraction: number;
  heldOutBy: z.output<typeof heldOutFields.heldOutBy>;
}

/** Training and held-out examples. @throws TransfusionError CONFIG_HELD_OUT: cells of what was loaded without */
export function splitAsConfigured<One extends Pick<CaptionedImage, 'group' | 'split'>>(
  { heldOutFraction: fraction, heldOutBy }: HeldOutConfig,
  examples: readonly One[],
): { train: One[]; heldOut: One[] } {
  if (heldOutBy === 'cells' && examples.length > 0 && examples.every(({ split }) => split === undefined)) {
    throw new TransfusionError({
      code: 'CONFIG_HELD_OUT',
      message: 'data.heldOutBy is cells, and none of the examples says whether it is held out',
      fix: 'give emoji in styles as `emojiCells` of @transfusion/data returns them, or choose name or list',
    });
  }
  return splitDataset({ images: examples, fraction, by: heldOutBy === 'name' ? 'name' : 'list' });
}
