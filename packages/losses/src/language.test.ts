import {
  type Backend,
  compile,
  constant,
  evaluate,
  f32,
  grad,
  i32,
  PhiloxStream,
  type Tensor,
} from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { languageLoss, zLoss } from './index.js';

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

describe('zLoss', () => {
  // By hand: sums of exponentials 4, 8, and one that has no target.
  const logits = tensor([3, 3], Math.log(2), 0, 0, 0, Math.log(6), 0, 50, -50, 0);
  const targets = ids([3], 0, 2, -1);

  test('is the mean of log^2 Z over the targets, whichever they are', () => {
    const expected = (Math.log(4) ** 2 + Math.log(8) ** 2) / 2;
    expect(values(zLoss({ logits, targets }))[0]).toBeCloseTo(expected, 6);
    expect(values(zLoss({ logits, targets: ids([3], 2, 1, -1) }))[0]).toBeCloseTo(expected, 6);
    expect(values(zLoss({ logits, targets, count: tensor([], 5) }))[0]).toBeCloseTo((2 * expected) / 5, 6);
    expect(values(zLoss({ logits, targets: ids([3], -1, -1, -1) }))).toEqual([0]);
  });

  test('sees a shift of all logits, which the cross-entropy does not', () => {
    const shifted = logits.add(3);
    expect(values(languageLoss({ logits: shifted, targets }))[0]).toBeCloseTo(
      values(languageLoss({ logits, targets }))[0],
      6,
    );
    const expected = ((Math.log(4) + 3) ** 2 + (Math.log(8) + 3) ** 2) / 2;
    expect(values(zLoss({ logits: shifted, targets }))[0]).toBeCloseTo(expected, 5);
  });

  describe('of random logits, also large ones', () => {
    const [rows, classes] = [12, 37];
    const stream = new PhiloxStream(7, 1);
    const data = Float32Array.from({ length: rows * classes }, (_, i) => (i % 3 === 0 ? 12 : 2) * stream.normal());
    const wanted = Int32Array.from({ length: rows }, (_, row) => (row % 4 === 3 ? -1 : (row * 5) % classes));
    const expected = plainZLoss(data, wanted, classes);
    const random = { logits: constant(data, [3, 4, classes]), targets: constant(wanted, [3, 4]) };

    test('the value is that of plain numbers, the gradient that of finite differences', () => {
      const loss = zLoss(random);
      expect(Math.abs(values(loss)[0] / expected - 1)).toBeLessThan(1e-12);
      const gradient = values(grad(loss, [random.logits])[0]);
      const greatest = Math.max(...gradient.map(Math.abs));
      expect(greatest).toBeGreaterThan(0.1);
      for (let at = 0; at < data.length; at += 5) {
        const moved = (by: number) => Float64Array.from(data, (value, i) => (i === at ? value + by : value));
        const step = 1e-5;
        const difference =
          (plainZLoss(moved(step), wanted, classes) - plainZLoss(moved(-step), wanted, classes)) / (2 * step);
        expect(Math.abs(gradient[at] - difference)).toBeLessThan(1e-7 * greatest);
      }
    });

    test('on wasm it is that of f64, with its gradient', async () => {
      const backend: Backend = await openWasm({ threads: 1 });
      const run = await compile({
        backend,
        name: 'z loss',
        inputs: { logits: f32(3, 4, classes), targets: i32(3, 4) },
        fn: (given) => {
          const loss = zLoss(given);
          return { outputs: { loss, gradient: grad(loss, [given.logits])[0] } };
        },
      });
      const { loss, gradient } = await run.run({ logits: data, targets: wanted });
      expect(Math.abs(loss[0] / expected - 1)).toBeLessThan(1e-6);
      const exact = values(grad(zLoss(random), [random.logits])[0]);
      const greatest = Math.max(...exact.map(Math.abs));
      exact.forEach((value, i) => expect(Math.abs(gradient[i] - value)).toBeLessThan(1e-6 * greatest));
      run.dispose();
      await backend.dispose();
    });
  });
});

/** In f64, by the definition. */
function plainZLoss(logits: ArrayLike<number>, targets: Int32Array, classes: number): number {
  let [sum, count] = [0, 0];
  targets.forEach((target, row) => {
    if (target < 0) return;
    const own = Array.from({ length: classes }, (_, i) => logits[row * classes + i]);
    const most = Math.max(...own);
    sum += (most + Math.log(own.reduce((z, value) => z + Math.exp(value - most), 0))) ** 2;
    count++;
  });
  return sum / count;
}
