/** @file The error of a dataset too much of which cannot be used. */
import { TransfusionError } from '@transfusion/tensor';
import type { BrokenFile } from '../image-dataset.js';

/** Why a picture that needs a caption cannot be used. */
export const NO_CAPTION = 'no caption';
/** Most files that are named. */
const NAMED = 5;

/**
 * @param what 'pictures', say
 * @param total broken ones included
 */
export function tooManyBroken(
  what: string,
  broken: readonly BrokenFile[],
  total: number,
  allowed: number,
): TransfusionError {
  const named = broken
    .slice(0, NAMED)
    .map(({ path, reason }) => `\n  ${reason.includes(path) ? '' : `${path}: `}${reason}`);
  const more = broken.length > NAMED ? `\n  and ${broken.length - NAMED} more` : '';
  return new TransfusionError({
    code: 'DATA_BROKEN_FILES',
    message: `${broken.length} of ${total} ${what} cannot be used, more than the allowed share of ${allowed}:${named.join('')}${more}`,
    fix: broken.some(({ reason }) => reason === NO_CAPTION)
      ? "write the missing captions, take pictures without one too (captions: 'optional'), or allow a larger share (allowBroken)"
      : 'repair or remove them, or allow a larger share (allowBroken)',
  });
}
