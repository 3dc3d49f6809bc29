/** @file How well such a network knows pictures that it was not trained on. */
import { type CaptionedImage, imageOf } from '@transfusion/data';
import { type InPartsOptions, inParts } from '@transfusion/training';
import { chanceOf } from '../chance.js';
import { captionsOf } from './captions.js';
import type { DualEncoder, ImageClassifier, ImageEncoder } from './open-encoder.js';

/** Of the pictures (or captions) of which one is looked for, how often a right one is the nearest, or among the five nearest. */
export interface RetrievalScores {
  images: number;
  imageToText1: number;
  imageToText5: number;
  textToImage1: number;
  textToImage5: number;
  /** What guessing has. */
  chance1: number;
  chance5: number;
}

export interface ClassificationScores {
  images: number;
  /** Share of the pictures whose likeliest class is theirs. */
  accuracy: number;
  /** What guessing has. */
  chance: number;
}

export type EvaluatorScores = RetrievalScores | ClassificationScores;

/** Scores a network on `images` with captions, of which there must be some. */
export function scoreEncoder(
  encoder: ImageEncoder,
  images: readonly CaptionedImage[],
  options?: InPartsOptions,
): Promise<EvaluatorScores> {
  return encoder.config.model_type === 'dual-encoder'
    ? scoreRetrieval(encoder as DualEncoder, images, options)
    : scoreClassifier(encoder as ImageClassifier, images, options);
}

/**
 * Each picture looks for its caption among those of all, and each caption for its picture. Right is every caption that the picture
 * has; one that is wrong and as near counts as nearer.
 */
export async function scoreRetrieval(
  encoder: Pick<DualEncoder, 'encodeImages' | 'encodeTexts' | 'features'>,
  images: readonly CaptionedImage[],
  options?: InPartsOptions,
): Promise<RetrievalScores> {
  const { features } = encoder;
  const rows = (vectors: Float32Array) =>
    Array.from({ length: vectors.length / features }, (_, i) => vectors.subarray(i * features, (i + 1) * features));
  const captions = images.map(({ caption }) => caption!);
  const pictures = await inParts(images, async (part) => rows(await encoder.encodeImages(part.map(imageOf))), options);
  const texts = await inParts(captions, async (part) => rows(await encoder.encodeTexts(part)), {
    signal: options?.signal,
  });
  const known = images.map(captionsOf);
  const isRight = (picture: number, text: number) => known[picture].has(captions[text]);
  const ofPictures = ranks(pictures, texts, isRight);
  const ofTexts = ranks(texts, pictures, (text, picture) => isRight(picture, text));
  return {
    images: images.length,
    imageToText1: shareBelow(ofPictures, 1),
    imageToText5: shareBelow(ofPictures, 5),
    textToImage1: shareBelow(ofTexts, 1),
    textToImage5: shareBelow(ofTexts, 5),
    chance1: mean(ofPictures.map(({ right }) => chanceOf(right, images.length, 1))),
    chance5: mean(ofPictures.map(({ right }) => chanceOf(right, images.length, 5))),
  };
}

export async function scoreClassifier(
  classifier: Pick<ImageClassifier, 'classify' | 'config'>,
  images: readonly CaptionedImage[],
  options?: InPartsOptions,
): Promise<ClassificationScores> {
  const { classes } = classifier.config;
  const isRight = await inParts(
    images,
    async (part) => {
      const probabilities = await classifier.classify(part.map(imageOf));
      return part.map(({ caption }, i) => {
        const own = probabilities.subarray(i * classes.length, (i + 1) * classes.length);
        return classes[own.indexOf(Math.max(...own))] === caption;
      });
    },
    options,
  );
  return { images: images.length, accuracy: mean(isRight.map(Number)), chance: 1 / classes.length };
}

/** Of each query, how many wrong ones are as near as the nearest right one; and how many right ones there are. */
function ranks(
  queries: readonly Float32Array[],
  keys: readonly Float32Array[],
  isRight: (query: number, key: number) => boolean,
): { rank: number; right: number }[] {
  return queries.map((query, q) => {
    const similarities = keys.map((key) => key.reduce((sum, value, i) => sum + value * query[i], 0));
    const right = keys.map((_, k) => isRight(q, k));
    const best = Math.max(...similarities.filter((_, k) => right[k]));
    const nearer = similarities.filter((similarity, k) => !right[k] && similarity >= best).length;
    return { rank: nearer, right: right.filter(Boolean).length };
  });
}

function shareBelow(all: readonly { rank: number }[], limit: number): number {
  return mean(all.map(({ rank }) => Number(rank < limit)));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** One line for a person. */
export function describeEvaluatorScores(scores: EvaluatorScores): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const { images } = scores;
  if ('accuracy' in scores) {
    return `${images} held-out pictures: ${percent(scores.accuracy)} of their classes right, chance ${percent(scores.chance)}`;
  }
  const { imageToText1, imageToText5, textToImage1, textToImage5, chance1, chance5 } = scores;
  return [
    `${images} held-out pictures: caption of a picture ${percent(imageToText1)}, among five ${percent(imageToText5)}`,
    `picture of a caption ${percent(textToImage1)}, among five ${percent(textToImage5)}`,
    `chance ${percent(chance1)}, ${percent(chance5)}`,
  ].join('; ');
}
