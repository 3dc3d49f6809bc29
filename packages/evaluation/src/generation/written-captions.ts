/** @file How good captions are that a model wrote of pictures. */
import { cider } from '../cider.js';
import { exactMatch } from '../exact-match.js';

export interface CaptionScores {
  /** Shares, from 0 to 1. */
  exact: number;
  /** Of captions of which the name is right, whatever else is; where `nameOf` is given. */
  exactName?: number;
  /** CIDEr-D, from 0 to 10; left out where the corpus has fewer than 2 captions. */
  cider?: number;
  /** Of each caption. */
  matches: boolean[];
  nameMatches?: boolean[];
}

/**
 * @param options.written a caption for each picture
 * @param options.captions the right one of each
 * @param options.nameOf what of a caption is the name: all but the words of a style, say
 * @param options.corpus captions that say which words are rare, for CIDEr; default: the right ones
 * @throws TransfusionError EVALUATION_MISMATCH: not as many of both; EVALUATION_VALUE: none
 */
export function scoreWrittenCaptions(options: {
  written: readonly string[];
  captions: readonly string[];
  nameOf?: (caption: string) => string;
  corpus?: readonly string[];
}): CaptionScores {
  const { written, captions, nameOf, corpus = captions } = options;
  const references = captions.map((caption) => [caption]);
  const exact = exactMatch({ candidates: written, references });
  const name =
    nameOf && exactMatch({ candidates: written.map(nameOf), references: captions.map((one) => [nameOf(one)]) });
  const documents = corpus.map((caption) => [caption]);
  return {
    exact: exact.score,
    ...(name && { exactName: name.score, nameMatches: name.matches }),
    ...(documents.length >= 2 && { cider: cider({ candidates: written, references, documents }).score }),
    matches: exact.matches,
  };
}
