/**
 * @file Images as tokens (Chameleon, arXiv 2405.09818): the codes of an image are ids of the vocabulary, after those of text.
 *
 *     image      SIZE? BOI code+ EOI
 */
import { TransfusionError } from '@transfusion/core';
import type { Document, DocumentPart, ImagePart } from './document.js';
import { type ControlTokens, imageOpening } from './grammar.js';

/** Where the codes of images are in a vocabulary. */
export interface CodeIds {
  /** Id of code 0. */
  first: number;
  /** How many codes there are. */
  count: number;
}

/** Token ids of an image's codes. @throws TransfusionError DATA_IMAGE_CODE: a code is not of the codebook */
export function codeTokens(codes: ArrayLike<number>, { first, count }: CodeIds): number[] {
  return Array.from(codes, (code, i) => {
    if (Number.isInteger(code) && code >= 0 && code < count) return first + code;
    throw new TransfusionError({
      code: 'DATA_IMAGE_CODE',
      message: `code ${i} of an image is ${code}, expected an integer from 0 to ${count - 1}`,
      fix: 'give codes that the codec with this codebook made',
    });
  });
}

/**
 * A document whose images are tokens: each SIZE? BOI code+ EOI, the codes from left to right and top to bottom. An image part's
 * `latents` are its codes, [height, width, 1]. Those of an image to look at, and its EOI, have no loss; what opens it has one, as
 * always.
 * Pack it with `boiPredicts`.
 *
 * @throws TransfusionError DATA_IMAGE_CODE
 */
export function documentOfTokens(
  { parts }: Document,
  options: { codes: CodeIds; special: Pick<ControlTokens, 'boi' | 'eoi'> },
): Document {
  return { parts: parts.flatMap((part) => (part.kind === 'text' ? [part] : imageTokens(part, options))) };
}

function imageTokens(
  { latents, sizeToken, role = 'target' }: ImagePart,
  { codes, special }: { codes: CodeIds; special: Pick<ControlTokens, 'boi' | 'eoi'> },
): DocumentPart[] {
  return [
    { kind: 'text', ids: imageOpening(special, sizeToken) },
    { kind: 'text', ids: [...codeTokens(latents, codes), special.eoi], loss: role === 'target' },
  ];
}
