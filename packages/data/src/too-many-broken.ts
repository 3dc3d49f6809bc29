/** @file The error of a dataset too much of which cannot be used. */
import { TransfusionError } from '@transfusion/core';
import type { BrokenFile } from './image-dataset.js';

/** Why a picture that needs a caption cannot be used. */
export const NO_CAPTION = 'no caption';
/** Why a name in a captions file cannot be used. */
export const NO_PICTURE = 'there is no such picture';
/** Why a line of texts cannot be used. */
export const IS_DOCUMENT = 'it has `parts`, as a line of documents has';
/** Why a line of documents cannot be used. */
export const IS_TEXT = 'it has `text` and no `parts`, as a line of texts has';
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
  // No share that is allowed would leave any.
  const isAll = broken.length === total;
  const more = broken.length > NAMED ? `\n  and ${broken.length - NAMED} more` : '';
  return new TransfusionError({
    code: 'DATA_BROKEN_FILES',
    message: `${broken.length} of ${total} ${what} cannot be used${isAll ? '' : `, more than the allowed share of ${allowed}`}:${named.join('')}${more}`,
    fix: [
      ...waysOut(broken),
      ...(isAll
        ? []
        : [`allow a larger share (allowBroken, ${Math.ceil((100 * broken.length) / total) / 100} would do)`]),
    ].join(', or '),
  });
}

function waysOut(broken: readonly BrokenFile[]): string[] {
  const has = (beginning: string) => broken.some(({ reason }) => reason.startsWith(beginning));
  const ways = [
    ...(has(IS_DOCUMENT) ? ['read it as documents (loadDocuments)'] : []),
    ...(has(IS_TEXT) ? ['read it as texts (loadTexts)'] : []),
    ...(has(NO_PICTURE) ? ['correct the names in the captions file'] : []),
    ...(has(`${NO_CAPTION} in`)
      ? ['add them to the captions file, or remove it, so that NAME.txt beside each picture is read']
      : []),
    ...(broken.some(({ reason }) => reason === NO_CAPTION) ? ['write the missing captions'] : []),
    ...(has(NO_CAPTION) ? ["take pictures without one too (captions: 'optional')"] : []),
  ];
  return ways.length > 0 ? ways : ['repair or remove them'];
}
