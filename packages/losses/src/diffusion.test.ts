import { constant, evaluate, type Tensor } from '@transfusion/tensor';
import { addNoise, diffusionLoss, transfusionLoss } from './index.js';

const tensor = (shape: number[], ...data: number[]) => constant(Float32Array.from(data), shape);
const values = (x: Tensor) => [...evaluate([x], new Map())[0]];

describe('addNoise', () => {
  // Cosine schedule at index 499: sqrt(abar) and sqrt(1 - abar).
  const [signal, noise] = [0.7027400589, 0.7114467018];
  const latents = tensor([1, 1, 2], 0.2, -0.7);
  const epsilon = tensor([1, 1, 2], 1, -0.5);

  test.each([
    ['epsilon', [0, 1], [1, -0.5]],
    ['x0', [1, 0], [0.2, -0.7]],
    ['v', [-noise, signal], [0.5604507186, 0.1466426618]],
  ])('the target of %s at timestep 499', (_, target, expected) => {
    const coefficients = tensor([1, 4], signal, noise, ...target);
    const result = addNoise({ latents, noise: epsilon, coefficients });
    const wanted = [0.8519947136, -0.8476413922];
    values(result.noised).forEach((value, i) => expect(value).toBeCloseTo(wanted[i], 6));
    values(result.target).forEach((value, i) => expect(value).toBeCloseTo(expected[i], 6));
  });

  test('flow: x_t on the line from noise to image, the target along it', () => {
    const time = 0.25;
    const result = addNoise({ latents, noise: epsilon, coefficients: tensor([1, 4], time, 1 - time, 1, -1) });
    const [x, v] = [values(result.noised), values(result.target)];
    // Following the target for the time that is left gives the image.
    [0.2, -0.7].forEach((clean, i) => expect(x[i] + (1 - time) * v[i]).toBeCloseTo(clean, 6));
  });

  test('every image has numbers of its own', () => {
    const two = tensor([2, 2, 1], 1, 2, 3, 4);
    const { noised, target } = addNoise({
      latents: two,
      noise: tensor([2, 2, 1], 10, 20, 30, 40),
      coefficients: tensor([2, 4], 1, 0, 0, 1, 0, 1, 1, 0),
    });
    expect(values(noised)).toEqual([1, 2, 30, 40]);
    expect(values(target)).toEqual([10, 20, 3, 4]);
  });
});

describe('diffusionLoss', () => {
  // Three slots of 2 patches of 2 values; errors 1, 2 and 100 everywhere.
  const target = tensor([3, 2, 2], ...new Array(12).fill(0));
  const prediction = tensor([3, 2, 2], 1, -1, 1, 1, 2, 2, -2, 2, 100, 100, 100, 100);

  test('is the mean over images of the mean over all elements of each', () => {
    expect(values(diffusionLoss({ prediction, target, mask: tensor([3], 1, 1, 0) }))).toEqual([2.5]);
    expect(values(diffusionLoss({ prediction, target, mask: tensor([3], 0, 1, 0) }))).toEqual([4]);
  });

  test('is zero where there is no image', () => {
    expect(values(diffusionLoss({ prediction, target, mask: tensor([3], 0, 0, 0) }))).toEqual([0]);
  });

  test('divides by the count of a larger batch: the parts add up', () => {
    const whole = values(diffusionLoss({ prediction, target, mask: tensor([3], 1, 1, 0) }))[0];
    const parts = [
      [1, 0, 0],
      [0, 1, 0],
    ].map((mask) => values(diffusionLoss({ prediction, target, mask: tensor([3], ...mask), count: tensor([], 2) }))[0]);
    expect(parts[0] + parts[1]).toBeCloseTo(whole, 12);
  });

  test('a prediction of zero costs the variance of the noise, 1', () => {
    const gaussian = tensor([1, 2, 2], 1, -1, Math.SQRT2, 0);
    const zero = tensor([1, 2, 2], 0, 0, 0, 0);
    expect(values(diffusionLoss({ prediction: zero, target: gaussian, mask: tensor([1], 1) }))[0]).toBeCloseTo(1, 6);
  });
});

test('the whole objective is L_LM + 5 L_DDPM, or another lambda', () => {
  const parts = { language: tensor([], 2), diffusion: tensor([], 0.5) };
  expect(values(transfusionLoss(parts))).toEqual([4.5]);
  expect(values(transfusionLoss({ ...parts, lambda: 0 }))).toEqual([2]);
});
