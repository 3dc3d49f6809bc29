/** @file The contrastive loss: two pairs by hand, texts that are true of several pictures, its slopes, and the bound of its scale. */
import { constant, evaluate, grad, type Tensor } from '@transfusion/tensor';
import {
  contrastiveLoss,
  INITIAL_LOG_SCALE,
  LARGEST_LOG_SCALE,
  similarityScale,
  unitLength,
} from './contrastive-loss.js';

const matrix = (rows: number[][]): Tensor => constant(Float32Array.from(rows.flat()), [rows.length, rows[0].length]);
const numberOf = (tensor: Tensor): number => evaluate([tensor], new Map())[0][0];
const logScale = (scale: number) => constant(Float32Array.of(Math.log(scale)), [1]);
const none = (batch: number) => constant(new Float32Array(batch * batch), [batch, batch]);

test('two pairs, by hand', () => {
  // Similarities [[0.8, 0.6], [0, 1]], times 2.
  const images = matrix([[1, 0], [0, 1]]); // biome-ignore format: a matrix
  const texts = matrix([[0.8, 0], [0.6, 1]]); // biome-ignore format: a matrix
  const crossEntropy = (own: number, other: number) => Math.log(1 + Math.exp(other - own));
  const ofImages = (crossEntropy(1.6, 1.2) + crossEntropy(2, 0)) / 2;
  const ofTexts = (crossEntropy(1.6, 0) + crossEntropy(2, 1.2)) / 2;
  const loss = contrastiveLoss({ images, texts, logScale: logScale(2), alsoTrue: none(2) });
  expect(numberOf(loss)).toBeCloseTo((ofImages + ofTexts) / 2, 6);
});

test('what is also true is as if it were not in the batch, for rows and columns', () => {
  const images = matrix([[1, 0], [0.6, 0.8], [0, 1]]); // biome-ignore format: a matrix
  const texts = matrix([[1, 0], [1, 0], [0.6, 0.8]]); // biome-ignore format: a matrix
  // Texts 0 and 1 are one, true of pictures 0 and 1.
  const alsoTrue = matrix([[0, 1, 0], [1, 0, 0], [0, 0, 0]]); // biome-ignore format: a matrix
  const logOdds = (own: number, ...others: number[]) =>
    Math.log(1 + others.reduce((sum, other) => sum + Math.exp(3 * (other - own)), 0));
  const ofImages = [logOdds(1, 0.6), logOdds(0.6, 1), logOdds(0.8, 0, 0)];
  const ofTexts = [logOdds(1, 0), logOdds(0.6, 0), logOdds(0.8, 0.6, 1)];
  const expected = [...ofImages, ...ofTexts].reduce((sum, each) => sum + each) / 6;
  const given = { images, texts, logScale: logScale(3) };
  expect(numberOf(contrastiveLoss({ ...given, alsoTrue }))).toBeCloseTo(expected, 6);
  expect(numberOf(contrastiveLoss({ ...given, alsoTrue: none(3) }))).toBeGreaterThan(expected + 0.1);
  // No gradient passes through a pair that is left out.
  const slope = (mask: Tensor) => evaluate(grad(contrastiveLoss({ ...given, alsoTrue: mask }), [texts]), new Map())[0];
  expect([...slope(matrix([[0, 1, 1], [1, 0, 1], [1, 1, 0]]))].every((each) => each === 0)).toBe(true); // biome-ignore format: a matrix
});

test('the scale starts at 1 / 0.07 and is at most 100, where nothing pushes it further', () => {
  const scaleOf = (log: number) => similarityScale(constant(Float32Array.of(log), [1]));
  expect(numberOf(scaleOf(INITIAL_LOG_SCALE))).toBeCloseTo(1 / 0.07, 4);
  expect(numberOf(scaleOf(LARGEST_LOG_SCALE + 3))).toBeCloseTo(100, 3);
  const beyond = constant(Float32Array.of(LARGEST_LOG_SCALE + 3), [1]);
  expect(evaluate(grad(similarityScale(beyond).sum(), [beyond]), new Map())[0][0]).toBe(0);
});

test('vectors become of length 1, and one of zeros stays finite', () => {
  const [found] = evaluate([unitLength(matrix([[3, 4], [0, 0]]))], new Map()); // biome-ignore format: a matrix
  expect([...found].map((each) => Number(each.toFixed(6)))).toEqual([0.6, 0.8, 0, 0]);
});
