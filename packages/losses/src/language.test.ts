import { constant, evaluate, grad, type Tensor } from '@transfusion/tensor';
import { languageLoss } from './index.js';

const tensor = (shape: number[], ...data: number[]) => constant(Float32Array.from(data), shape);
const ids = (shape: number[], ...data: number[]) => constant(Int32Array.from(data), shape);
const values = (x: Tensor) => [...evaluate([x], new Map())[0]];

describe('languageLoss', () => {
  // Probabilities by hand: row 0 is (1/2, 1/4, 1/4), row 1 is (1/8, 3/4, 1/8).
  const logits = tensor([1, 3, 3], Math.log(2), 0, 0, 0, Math.log(6), 0, 50, -50, 0);

  test('is the mean of -log p over the targets', () => {
    const loss = values(languageLoss({ logits, targets: ids([1, 3], 0, 2, -1) }))[0];
    expect(loss).toBeCloseTo((Math.LN2 + Math.log(8)) / 2, 6);
  });

  test('positions without a target count for nothing, and get no gradient', () => {
    const targets = ids([1, 3], -1, 1, -1);
    const loss = languageLoss({ logits, targets });
    expect(values(loss)[0]).toBeCloseTo(Math.log(4 / 3), 6);
    const [gradient] = grad(loss, [logits]);
    const got = values(gradient);
    expect(got.slice(0, 3)).toEqual([0, 0, 0]);
    expect(got.slice(6)).toEqual([0, 0, 0]);
    [1 / 8, 3 / 4 - 1, 1 / 8].forEach((value, i) => expect(got[3 + i]).toBeCloseTo(value, 6));
  });

  test('is zero where there is no target at all', () => {
    expect(values(languageLoss({ logits, targets: ids([1, 3], -1, -1, -1) }))).toEqual([0]);
  });

  test('divides by the count of a larger batch: the parts add up', () => {
    const part = (...targets: number[]) =>
      values(languageLoss({ logits, targets: ids([1, 3], ...targets), count: tensor([], 3) }))[0];
    const whole = values(languageLoss({ logits, targets: ids([1, 3], 0, 1, 2) }))[0];
    expect(part(0, -1, -1) + part(-1, 1, -1) + part(-1, -1, 2)).toBeCloseTo(whole, 10);
  });

  test('uniform logits cost ln V', () => {
    const uniform = tensor([2, 7], ...new Array(14).fill(0.3));
    expect(values(languageLoss({ logits: uniform, targets: ids([2], 0, 6) }))[0]).toBeCloseTo(Math.log(7), 6);
  });
});
