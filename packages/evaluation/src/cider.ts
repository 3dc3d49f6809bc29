/** @file CIDEr: how much captions agree with what people wrote, rare words counting most (Vedantam, Zitnick, Parikh 2015). */
import { captionTokens } from './caption-text.js';
import { unmeasurable } from './errors.js';
import { checkReferences } from './exact-match.js';

const LONGEST = 4;
/** In words: section 6 of the paper. */
const SIGMA = 6;
const SCALE = 10;

export interface CiderOptions {
  /** A caption for each picture. */
  candidates: readonly string[];
  /** Of each picture, one or more captions by people. */
  references: readonly (readonly string[])[];
  /**
   * Default `cider-d`: it is what coco-caption computes under the name CIDEr, so what the tables of papers report, and a caption cannot
   * gain by repeating words. `cider` is the paper's equation 4, the plain mean cosine.
   */
  variant?: 'cider-d' | 'cider';
  /** The captions of each picture of the corpus that says which n-grams are rare; default: the references. */
  documents?: readonly (readonly string[])[];
  /** Default `captionTokens`. */
  tokenise?: (caption: string) => string[];
}

export interface CiderScores {
  /** Mean of `scores`. */
  score: number;
  /** Of each candidate, from 0 to 10. */
  scores: number[];
}

/** What is known of one caption: [n - 1] for n-grams of n words. */
interface CaptionVectors {
  weights: Map<string, number>[];
  norms: number[];
  words: number;
}

/**
 * Each n-gram of a caption, n = 1 to 4, has a weight: how often it occurs, times log(documents / documents with it). Captions are
 * compared by these vectors g, of each n apart:
 *
 *     CIDEr    10 mean over n, references of  g(c) . g(s) / (|g(c)| |g(s)|)
 *     CIDEr-D  10 mean over n, references of  exp(-(length(c) - length(s))^2 / 72)  min(g(c), g(s)) . g(s) / (|g(c)| |g(s)|)
 *
 * Words are not stemmed, and counts are not divided by the caption's length, as in coco-caption. Both are scaled by 10, in the paper
 * only CIDEr-D is. Papers' tables show 100 times the score. N-grams that a caption is too short for count as 0: two equal captions of
 * one word have 2.5, of two words 5. Words that are in the references of all pictures weigh nothing.
 *
 * @throws TransfusionError EVALUATION_MISMATCH: not as many lists of references as candidates, an empty one; EVALUATION_VALUE: fewer
 *   than 2 documents, of which every weight is 0
 */
export function cider(options: CiderOptions): CiderScores {
  const { candidates, references, variant = 'cider-d', documents = references, tokenise = captionTokens } = options;
  checkReferences('cider', candidates, references);
  if (documents.length < 2) {
    throw unmeasurable(
      `cider: there is ${documents.length} document; what is in all documents weighs log 1 = 0, so every score would be 0`,
      'give the references of more pictures, or a corpus in `documents`',
    );
  }
  const inverseFrequency = inverseDocumentFrequency(documents, tokenise);
  const similarity = variant === 'cider' ? cosine : clippedCosine;
  const scores = candidates.map((caption, i) => {
    const candidate = vectorsOf(tokenise(caption), inverseFrequency);
    const similarities = references[i].map((text) =>
      similarity(candidate, vectorsOf(tokenise(text), inverseFrequency)),
    );
    return SCALE * mean(similarities);
  });
  return { score: mean(scores), scores };
}

/** log(documents / documents with the n-gram); of one that is in none, as if it were in one. */
function inverseDocumentFrequency(
  documents: readonly (readonly string[])[],
  tokenise: (caption: string) => string[],
): (gram: string) => number {
  const frequency = new Map<string, number>();
  for (const captions of documents) {
    const grams = new Set(captions.flatMap((caption) => nGrams(tokenise(caption)).flat()));
    for (const gram of grams) frequency.set(gram, (frequency.get(gram) ?? 0) + 1);
  }
  return (gram) => Math.log(documents.length / (frequency.get(gram) ?? 1));
}

/** [n - 1]: all n-grams of n words, as often as they occur. */
function nGrams(words: readonly string[]): string[][] {
  return Array.from({ length: LONGEST }, (_, extra) =>
    words.slice(extra).map((_, start) => words.slice(start, start + extra + 1).join(' ')),
  );
}

function vectorsOf(words: readonly string[], inverseFrequency: (gram: string) => number): CaptionVectors {
  const weights = nGrams(words).map((grams) => {
    const counts = new Map<string, number>();
    for (const gram of grams) counts.set(gram, (counts.get(gram) ?? 0) + 1);
    return new Map([...counts].map(([gram, count]) => [gram, count * inverseFrequency(gram)]));
  });
  const norms = weights.map((vector) => Math.sqrt([...vector.values()].reduce((sum, weight) => sum + weight ** 2, 0)));
  return { weights, norms, words: words.length };
}

function cosine(candidate: CaptionVectors, reference: CaptionVectors): number {
  return compare(candidate, reference, (own, other) => own * other);
}

/** A word repeated more often than in the reference gains nothing, nor does a caption of another length. */
function clippedCosine(candidate: CaptionVectors, reference: CaptionVectors): number {
  const penalty = Math.exp(-((candidate.words - reference.words) ** 2) / (2 * SIGMA ** 2));
  return penalty * compare(candidate, reference, (own, other) => Math.min(own, other) * other);
}

/** Mean over n. */
function compare(
  candidate: CaptionVectors,
  reference: CaptionVectors,
  product: (own: number, other: number) => number,
): number {
  return mean(
    candidate.weights.map((vector, n) => {
      const norms = candidate.norms[n] * reference.norms[n];
      if (norms === 0) return 0;
      let sum = 0;
      for (const [gram, weight] of vector) sum += product(weight, reference.weights[n].get(gram) ?? 0);
      return sum / norms;
    }),
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
