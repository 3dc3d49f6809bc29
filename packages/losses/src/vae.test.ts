import { constant, evaluate, grad, type Tensor } from '@transfusion/tensor';
import { klLoss, reconstructionLoss, squaredErrorLoss, vqLoss } from './index.js';

const tensor = (shape: number[], ...data: number[]) => constant(Float32Array.from(data), shape);
const values = (x: Tensor) => [...evaluate([x], new Map())[0]];

describe('klLoss', () => {
  test('of mean (0.5, -1) and log variance (0.2, -0.3)', () => {
    const loss = klLoss({ mean: tensor([1, 1, 1, 2], 0.5, -1), logVariance: tensor([1, 1, 1, 2], 0.2, -0.3) });
    expect(values(loss)[0]).toBeCloseTo(0.6561104894209439, 7);
  });

  test('sums over an image, averages over images; none for the standard normal', () => {
    const mean = tensor([2, 2], 0.5, -1, 0, 0);
    const logVariance = tensor([2, 2], 0.2, -0.3, 0, 0);
    expect(values(klLoss({ mean, logVariance }))[0]).toBeCloseTo(0.6561104894209439 / 2, 7);
    // d/dmean = mean / images, d/dlogVariance = (exp(logVariance) - 1) / (2 images)
    const [dMean, dLogVariance] = grad(klLoss({ mean, logVariance }), [mean, logVariance]);
    expect(values(dMean)).toEqual([0.25, -0.5, 0, 0]);
    expect(values(dLogVariance)[1]).toBeCloseTo((Math.exp(-0.3) - 1) / 4, 6);
  });
});

test('reconstructionLoss is the mean absolute error over all elements, squaredErrorLoss that of squares', () => {
  const [reconstruction, images] = [tensor([1, 2, 2], 1, 2, 3, 4), tensor([1, 2, 2], 0, 4, 3, 1)];
  expect(values(reconstructionLoss({ reconstruction, images }))).toEqual([1.5]);
  expect(values(squaredErrorLoss({ reconstruction, images }))).toEqual([3.5]);
});

describe('vqLoss', () => {
  const [vectors, codes] = [tensor([2, 1], 1, 3), tensor([2, 1], 0, 5)];
  const options = { vectors, codeVectors: codes };

  test('is mean squared distance once for the codebook, beta times for the commitment', () => {
    const { codebook, commitment, total } = vqLoss(options);
    expect([codebook, commitment, total].map((each) => values(each)[0])).toEqual([2.5, 2.5, 3.125]);
    expect(values(vqLoss({ ...options, beta: 2, weight: 0.5 }).total)).toEqual([3.75]);
  });

  test('the codebook term pulls codes only, the commitment vectors only', () => {
    const { codebook, commitment, total } = vqLoss(options);
    const both = [vectors, codes];
    expect(grad(codebook, both).map(values)).toEqual([
      [0, 0],
      [-1, 2],
    ]);
    expect(grad(commitment, both).map(values)).toEqual([
      [1, -2],
      [0, 0],
    ]);
    expect(grad(total, both).map(values)).toEqual([
      [0.25, -0.5],
      [-1, 2],
    ]);
  });
});
