/** @file Captions that are right to the letter. */
import { normaliseCaption } from './caption-text.js';
import { checkCount, mismatch } from './errors.js';

/**
 * The share of captions that equal one of their references, after `normaliseCaption`: case and spaces do not count, punctuation does.
 *
 * @param options.candidates a caption for each picture
 * @param options.references of each picture, one or more right captions
 * @param options.normalise what is compared of a text; default `normaliseCaption`
 * @returns the share, from 0 to 1, and which are right
 * @throws TransfusionError EVALUATION_MISMATCH: not as many lists of references as candidates; EVALUATION_VALUE: none
 */
export function exactMatch(options: {
  candidates: readonly string[];
  references: readonly (readonly string[])[];
  normalise?: (text: string) => string;
}): { score: number; matches: boolean[] } {
  const { candidates, references, normalise = normaliseCaption } = options;
  checkReferences('exactMatch', candidates, references);
  const matches = candidates.map((candidate, i) => references[i].map(normalise).includes(normalise(candidate)));
  return { score: matches.filter(Boolean).length / matches.length, matches };
}

/** Each picture has one candidate and one reference or more. */
export function checkReferences(
  metric: string,
  candidates: readonly string[],
  references: readonly (readonly string[])[],
): void {
  checkCount(`${metric}: the number of candidates`, candidates.length);
  if (candidates.length !== references.length) {
    throw mismatch(
      `${metric}: there are ${candidates.length} candidates and ${references.length} lists of references`,
      'give the references of each candidate, in the same order',
    );
  }
  const lonely = references.findIndex((list) => typeof list === 'string' || list.length === 0);
  if (lonely < 0) return;
  const found = typeof references[lonely] === 'string' ? 'a text' : 'empty';
  throw mismatch(`${metric}: references[${lonely}] is ${found}, expected a list of one text or more`);
}
