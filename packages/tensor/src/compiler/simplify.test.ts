import { rmsNorm, scalar, select, type Tensor } from '../index.js';
import { topologicalOrder } from '../reference/evaluate.js';
import { input, valuesOf } from '../testing/inputs.js';
import { constantValue, simplify } from './simplify.js';

/** Names of the operations left, leaves excluded. */
function operations(outputs: readonly Tensor[]): string[] {
  const leaves = ['input', 'state', 'constant'];
  return topologicalOrder(outputs)
    .map(({ op, attributes }) => (attributes?.fn as string) ?? op.name)
    .filter((name) => !leaves.includes(name));
}

describe('simplify', () => {
  const x = input([2, 3]);
  const y = input([2, 3]);

  test('computes equal expressions once', () => {
    const outputs = simplify([x.mul(y).exp(), x.mul(y).exp().add(1), x.mul(y).sum(0)]);
    expect(operations(outputs)).toEqual(expect.arrayContaining(['mul', 'exp', 'add', 'sum']));
    expect(operations(outputs).filter((name) => name === 'mul').length).toBe(1);
    expect(operations(outputs).filter((name) => name === 'exp').length).toBe(1);
  });

  test('does not merge what differs in operands, order or attributes', () => {
    const w = input([3]);
    const outputs = simplify([x.sub(y), y.sub(x), x.sum(0), x.max(0), x.slice(1, 0, 2), x.slice(1, 1, 3)]);
    expect(new Set(outputs).size).toBe(6);
    const norms = simplify([rmsNorm(x, w, 1e-5), rmsNorm(x, w, 1e-6)]);
    expect(norms[0]).not.toBe(norms[1]);
  });

  test('keeps infinities, NaN and negative zero apart', () => {
    const values = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 0, -0];
    const results = simplify(values.map((value) => select(x.less(0), value, y)));
    const bindings: [Tensor, number[]][] = [
      [x, [-1, -1, -1, 1, 1, 1]],
      [y, [1, 2, 3, 4, 5, 6]],
    ];
    results.forEach((result, i) => {
      const [got] = valuesOf([result], bindings);
      expect(Object.is(got[0], values[i])).toBe(true);
      expect(got[5]).toBe(6);
    });
  });

  test('folds constants, through broadcasts and reshapes', () => {
    const [folded] = simplify([scalar(2).mul(3).add(1).broadcastTo([2, 3]).reshape([6]).sqrt()]);
    expect(constantValue(folded)).toBe(Math.sqrt(7));
    expect(folded.shape).toEqual([6]);
    const [sum] = simplify([x.add(scalar(1).exp())]);
    expect(operations([sum]).filter((name) => name === 'exp')).toEqual([]);
  });

  test('drops what does nothing', () => {
    const same = [x.add(0), x.sub(0), x.mul(1), x.div(1), scalar(0).add(x), scalar(1).mul(x)];
    expect(simplify(same)).toEqual(same.map(() => x));
    expect(simplify([x.transpose().transpose(), x.reshape([6]).reshape([3, 2]).reshape([2, 3])])).toEqual([x, x]);
    expect(operations(simplify([x.sub(1), x.mul(0)]))).toEqual(expect.arrayContaining(['sub', 'mul']));
  });

  test('x * 0 is not 0 where x is not finite', () => {
    expect(valuesOf(simplify([x.mul(0)]), [[x, [1, Number.NaN, Number.POSITIVE_INFINITY, 0, 0, 0]]])[0]).toEqual([
      0,
      Number.NaN,
      Number.NaN,
      0,
      0,
      0,
    ]);
  });

  test('permutations of permutations become one', () => {
    const z = input([2, 3, 4]);
    const [once] = simplify([z.permute([1, 2, 0]).permute([2, 1, 0])]);
    expect(operations([once])).toEqual(['permute']);
    expect(once.shape).toEqual([2, 4, 3]);
    const data = Array.from({ length: 24 }, (_, i) => i);
    expect(valuesOf([once], [[z, data]])).toEqual(valuesOf([z.permute([1, 2, 0]).permute([2, 1, 0])], [[z, data]]));
  });
});
