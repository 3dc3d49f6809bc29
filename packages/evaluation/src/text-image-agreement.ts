/** @file Agreement of texts and pictures, in the features of a network that has both. */
import { mismatch } from './errors.js';
import { checkAlike, checkFeatures, dot, type Features, unitRows } from './features.js';

/**
 * 100 max(0, cosine) of each picture and its text. Made as CLIPScore is (Hessel et al. 2021), which has 2.5 in place of 100, and
 * comparable with the "CLIP" of papers only where the features are those of the CLIP model that they took: any other network has a
 * scale of its own, so compare with what real pictures get with it, and with the texts of others.
 *
 * @param options.images a row for each picture
 * @param options.texts a row for each picture's text, in the same order
 * @returns the mean, and that of each pair; from 0 to 100
 * @throws TransfusionError EVALUATION_MISMATCH: not as many of both, rows of different lengths; EVALUATION_VALUE: a row of zeros
 */
export function textImageAgreement(options: { images: Features; texts: Features }): {
  score: number;
  scores: number[];
} {
  const { images, texts } = options;
  checkFeatures('textImageAgreement: images', images);
  checkFeatures('textImageAgreement: texts', texts);
  checkAlike('textImageAgreement', images, texts);
  if (images.count !== texts.count) {
    throw mismatch(`textImageAgreement: there are ${images.count} images and ${texts.count} texts; each image has one`);
  }
  const [from, to] = [unitRows('textImageAgreement: images', images), unitRows('textImageAgreement: texts', texts)];
  const scores = Array.from({ length: images.count }, (_, i) => 100 * Math.max(0, dot(from, i, to, i)));
  return { score: scores.reduce((sum, score) => sum + score, 0) / scores.length, scores };
}
