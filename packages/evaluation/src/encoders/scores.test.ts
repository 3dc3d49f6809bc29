/** @file Scores of what was held out, by hand. */
import type { ClassifierConfig } from './config.js';
import { describeEvaluatorScores, scoreClassifier, scoreRetrieval } from './scores.js';
import { colouredPictures } from './testing/pictures.js';

const picturesOf = (...captions: string[]) =>
  captions.map((caption, i) => ({ ...colouredPictures(1)[0], otherCaptions: undefined, caption, name: `${i}` }));

/** Pictures and texts as vectors in a plane, by their order. */
function encoderOf(images: number[][], texts: number[][]) {
  let [imagesDone, textsDone] = [0, 0];
  const take = (vectors: number[][], from: number, count: number) =>
    Float32Array.from(vectors.slice(from, from + count).flat());
  return {
    features: 2,
    encodeImages: async ({ length }: { length: number }) => take(images, (imagesDone += length) - length, length),
    encodeTexts: async ({ length }: { length: number }) => take(texts, (textsDone += length) - length, length),
  };
}

test('retrieval: ranks among all, equal captions are all right, what is as near counts as nearer', async () => {
  const images = [[1, 0], [0, 1], [0.6, 0.8]]; // biome-ignore format: vectors
  const texts = [[1, 0], [0.6, 0.8], [0, 1]]; // biome-ignore format: vectors
  const found = await scoreRetrieval(encoderOf(images, texts), picturesOf('a', 'b', 'c'));
  expect(found).toMatchObject({
    images: 3,
    imageToText1: 1 / 3,
    textToImage1: 1 / 3,
    imageToText5: 1,
    textToImage5: 1,
  });
  expect([found.chance1, found.chance5]).toEqual([expect.closeTo(1 / 3), 1]);
  const same = await scoreRetrieval(encoderOf(images, texts), picturesOf('a', 'b', 'b'));
  expect(same).toMatchObject({ imageToText1: 1, textToImage1: 1, chance1: expect.closeTo((1 + 2 + 2) / 9) });
  // A network that says the same of everything knows nothing.
  const blind = Array.from({ length: 10 }, () => [1, 0]);
  const none = await scoreRetrieval(encoderOf(blind, blind), picturesOf(...'abcdefghij'));
  expect(none).toMatchObject({
    imageToText1: 0,
    imageToText5: 0,
    textToImage5: 0,
    chance1: expect.closeTo(0.1),
    chance5: expect.closeTo(0.5),
  });
  expect(describeEvaluatorScores(none)).toMatch(
    /^10 held-out pictures: caption of a picture 0\.0 %.*chance 10\.0 %, 50\.0 %$/,
  );
});

test('classification: the likeliest class', async () => {
  const config = { classes: ['coat', 'shirt'] } as ClassifierConfig;
  const classify = async () => Float32Array.of(0.9, 0.1, 0.4, 0.6, 0.7, 0.3, 0.2, 0.8);
  const found = await scoreClassifier({ config, classify }, picturesOf('coat', 'shirt', 'shirt', 'shirt'));
  expect(found).toEqual({ images: 4, accuracy: 0.75, chance: 0.5 });
});
