import { grad } from './index.js';
import { input as symbol, valuesOf as values } from './testing/inputs.js';

const input = (...shape: number[]) => symbol(shape);

describe('grad', () => {
  test('d/dx sum(x^3) = 3 x^2', () => {
    const x = input(3);
    expect(values(grad(x.mul(x).mul(x).sum(), [x]), [[x, [1, -2, 3]]])).toEqual([[3, 12, 27]]);
  });

  test('adds up over all paths', () => {
    const x = input();
    // y = (x + x) x + 2 x = 2 x^2 + 2 x, dy/dx = 4 x + 2
    const y = x.add(x).mul(x).add(x.mul(2));
    expect(values(grad(y, [x]), [[x, [5]]])).toEqual([[22]]);
  });

  test('of a product of matrices: g b^T and a^T g', () => {
    const [a, b] = [input(1, 2), input(2, 2)];
    const loss = a.matmul(b).sum();
    expect(
      values(grad(loss, [a, b]), [
        [a, [2, 3]],
        [b, [1, 10, 100, 1000]],
      ]),
    ).toEqual([
      [11, 1100],
      [2, 2, 3, 3],
    ]);
  });

  test('what the loss does not depend on gets zeros of its shape', () => {
    const [x, other] = [input(2), input(2, 2)];
    const gradients = grad(x.sum(), [x, other]);
    expect(gradients[1].shape).toEqual([2, 2]);
    expect(values(gradients, [[x, [1, 2]]])).toEqual([
      [1, 1],
      [0, 0, 0, 0],
    ]);
  });

  test('with respect to an intermediate tensor', () => {
    const x = input(2);
    const y = x.mul(3);
    expect(values(grad(y.mul(y).sum(), [y]), [[x, [1, 2]]])).toEqual([[6, 12]]);
  });

  test('with respect to a tensor and to one that depends on it, with operations between', () => {
    const x = input(2);
    const y = x.mul(3).exp();
    const [dx, dy] = grad(y.mul(x).sum(), [x, y]);
    // dy = x; dx = exp(3 x) + 3 x exp(3 x)
    const [gotX, gotY] = values([dx, dy], [[x, [0, 1]]]);
    expect(gotY).toEqual([0, 1]);
    expect(gotX[0]).toBeCloseTo(1, 12);
    expect(gotX[1]).toBeCloseTo(4 * Math.exp(3), 10);
  });

  test('does not go through comparisons and integers', () => {
    const x = input(3);
    const masked = x.less(2).mul(x).sum();
    expect(values(grad(masked, [x]), [[x, [1, 2, 3]]])).toEqual([[1, 0, 0]]);
    expect(values(grad(x.toInt().toFloat().sum(), [x]), [[x, [1, 2, 3]]])).toEqual([[0, 0, 0]]);
  });

  test('of a gradient', () => {
    const x = input();
    const [first] = grad(x.mul(x).mul(x), [x]);
    const [second] = grad(first, [x]);
    expect(values([second], [[x, [4]]])).toEqual([[24]]);
  });

  test('needs a scalar', () => {
    const x = input(2, 3);
    expect(() => grad(x, [x])).toThrow('TENSOR_SHAPE_MISMATCH: grad: the loss must have one element, got [2, 3]');
  });
});
