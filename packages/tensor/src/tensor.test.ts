import {
  adamw,
  attention,
  concat,
  constant,
  crossEntropy,
  f32,
  gather,
  grad,
  randomNormal,
  rmsNorm,
  rope,
  ropeTable,
  scatterAdd,
  select,
  TransfusionError,
  writeRows,
} from './index.js';
import { input, valuesOf } from './testing/inputs.js';

function caught(action: () => unknown): TransfusionError {
  try {
    action();
  } catch (error) {
    if (TransfusionError.isInstance(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('operations refuse shapes that disagree, naming both', () => {
  const x = (...shape: number[]) => input(shape);
  const i = (...shape: number[]) => input(shape, 'i32');
  const step = (parameter: number[], gradient: number[], hyper = [3]) => ({
    parameter: x(...parameter),
    gradient: x(...gradient),
    m: x(...parameter),
    v: x(...parameter),
    hyper: x(...hyper),
    gradientScale: x(),
  });
  const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };
  const table = ropeTable({ positions: 4, headDim: 6 });

  test.each<[string, () => unknown, string[]]>([
    ['add', () => x(4, 64).add(x(4, 63)), ['[4, 64]', '[4, 63]', '64 and 63']],
    ['add, leading axes', () => x(2, 3).add(x(3, 1, 4)), ['[2, 3]', '[3, 1, 4]']],
    ['select', () => select(x(2, 3), x(2, 2), 0), ['[2, 3]', '[2, 2]']],
    ['matmul', () => x(4, 64).matmul(x(63, 64)), ['[4, 64]', '[63, 64]', '(64)', '(63)']],
    ['matmul transposed', () => x(4, 64).matmul(x(64, 63), { transposeB: true }), ['[4, 64]', '[64, 63]', '(63)']],
    ['matmul batch', () => x(2, 4, 5).matmul(x(3, 5, 6)), ['[2, 4, 5]', '[3, 5, 6]']],
    ['matmul vector', () => x(4).matmul(x(4, 4)), ['[4]', '[4, 4]', 'two axes']],
    ['reshape', () => x(4, 6).reshape([5, 5]), ['[4, 6]', '24', '[5, 5]', '25']],
    ['reshape inferred', () => x(4, 6).reshape([-1, 5]), ['4.8']],
    ['permute', () => x(2, 3).permute([0, 0]), ['[0, 0]', '[2, 3]']],
    ['transpose', () => x(3).transpose(), ['[3]']],
    ['broadcast', () => x(2, 3).broadcastTo([2, 4]), ['[2, 3]', '[2, 4]']],
    ['slice', () => x(2, 3).slice(1, 1, 4), ['[1, 4)', '[2, 3]']],
    ['slice empty', () => x(2, 3).slice(0, 1, 1), ['[1, 1)', '[2, 3]']],
    ['slice axis', () => x(2, 3).slice(2, 0, 1), ['axis 2', 'rank 2']],
    ['pad', () => x(2, 3).pad(0, -1, 0), ['[2, 3]', '-1']],
    ['sum', () => x(2, 3).sum(-3), ['axis -3', 'rank 2']],
    ['concat', () => concat([x(2, 3), x(3, 4)], 0), ['[2, 3]', '[3, 4]', 'axis 0']],
    ['concat axis', () => concat([x(2, 3), x(2, 3)], 2), ['axis 2', 'rank 2']],
    ['constant', () => constant(new Float32Array(5), [2, 3]), ['[2, 3]', '6', '5']],
    ['input', () => f32(2, 0), ['[2, 0]', 'length 0']],
    ['rmsNorm', () => rmsNorm(x(2, 8), x(7)), ['[2, 8]', '[7]']],
    ['rope positions', () => rope(x(2, 5, 1, 6), i(2, 4), table), ['[2, 5]', '[2, 4]']],
    ['rope table', () => rope(x(2, 1, 8), i(2), table), ['8', '[4, 3]']],
    ['gather of a scalar', () => gather(x(), i(2)), ['gather', 'axis']],
    ['writeRows', () => writeRows(x(9, 4), i(2), x(2, 5)), ['[2, 4]', '[2, 5]']],
    ['crossEntropy', () => crossEntropy(x(2, 5, 7), i(2, 4)), ['[2, 5, 7]', '[2, 5]', '[2, 4]']],
    ['random', () => randomNormal({ seed: i(3), shape: [4], stream: 0 }), ['[4]', '[3]']],
    ['adamw', () => adamw(step([2, 3], [3, 2]), options), ['[2, 3]', '[3, 2]']],
    ['adamw hyper', () => adamw(step([2], [2], [4]), options), ['[3]', '[4]']],
    ['grad', () => grad(x(2), []), ['[2]']],
    [
      'attention heads',
      () => attention({ q: x(1, 5, 3, 8), k: x(1, 5, 2, 8), v: x(1, 5, 2, 8), begin: i(1, 5), end: i(1, 5) }),
      ['[1, 5, 3, 8]', '[1, 5, 2, 8]', '3 query heads', '2 key heads'],
    ],
    [
      'attention values',
      () => attention({ q: x(1, 5, 2, 8), k: x(1, 5, 2, 8), v: x(1, 6, 2, 8), begin: i(1, 5), end: i(1, 5) }),
      ['[1, 5, 2, 8]', '[1, 6, 2, 8]'],
    ],
    [
      'attention interval',
      () => attention({ q: x(1, 5, 2, 8), k: x(1, 6, 2, 8), v: x(1, 6, 2, 8), begin: i(1, 5), end: i(1, 6) }),
      ['end', '[1, 5]', '[1, 6]'],
    ],
  ])('%s', (_, action, mentioned) => {
    const error = caught(action);
    expect(error.code).toBe('TENSOR_SHAPE_MISMATCH');
    for (const each of mentioned) expect(error.message).toContain(each);
  });

  test.each<[string, () => unknown, string]>([
    ['arithmetic on integers', () => i(3).add(i(3)), 'add needs f32, got i32 [3]'],
    ['float indices', () => gather(x(3, 4), x(2)), 'gather(indices) needs i32, got f32 [2]'],
    ['a sum of integers', () => i(3).sum(), 'sum needs f32'],
    ['float targets', () => crossEntropy(x(2, 5), x(2)), 'crossEntropy(targets) needs i32'],
    ['branches of two types', () => select(x(2), x(2), i(2)), 'select'],
    ['a float seed', () => randomNormal({ seed: x(4), shape: [2], stream: 0 }), 'random(seed) needs i32'],
  ])('%s', (_, action, message) => {
    const error = caught(action);
    expect(error.code).toBe('TENSOR_DTYPE_MISMATCH');
    expect(error.message).toContain(message);
    expect(error.fix).toMatch(/toFloat|toInt/);
  });
});

describe('the f64 reference, against values worked out by hand', () => {
  const x = constant(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);

  test('reductions, with and without their axes', () => {
    const all = [x.sum(), x.sum(0), x.sum(-1), x.mean(1), x.max(0), x.max(), x.sum([0, 1], true)];
    expect(valuesOf(all)).toEqual([[21], [5, 7, 9], [6, 15], [2, 5], [4, 5, 6], [6], [21]]);
    expect(x.sum(0, true).shape).toEqual([1, 3]);
    expect(x.sum([0, 1], true).shape).toEqual([1, 1]);
  });

  test('movement', () => {
    const all = [x.transpose(), x.slice(1, 1, 3), x.pad(1, 1, 0), concat([x, x.slice(1, 0, 1)], 1), x.reshape([3, -1])];
    expect(all.map(({ shape }) => shape)).toEqual([
      [3, 2],
      [2, 2],
      [2, 4],
      [2, 4],
      [3, 2],
    ]);
    expect(valuesOf(all)).toEqual([
      [1, 4, 2, 5, 3, 6],
      [2, 3, 5, 6],
      [0, 1, 2, 3, 0, 4, 5, 6],
      [1, 2, 3, 1, 4, 5, 6, 4],
      [1, 2, 3, 4, 5, 6],
    ]);
  });

  test('a product whose left side is transposed, and a shared right side over a batch', () => {
    const b = constant(Float32Array.of(1, 0, -1, 2), [2, 2]);
    expect(valuesOf([x.matmul(b, { transposeA: true })])).toEqual([[-3, 8, -3, 10, -3, 12]]);
    const batch = constant(Float32Array.of(1, 2, 3, 4), [2, 1, 2]);
    expect(batch.matmul(b).shape).toEqual([2, 1, 2]);
    expect(valuesOf([batch.matmul(b)])).toEqual([[-1, 4, -1, 8]]);
  });

  test('rows: gather, scatter-add and write, indices out of range among them', () => {
    const indices = constant(Int32Array.of(1, -1, 1, 7), [4]);
    const updates = constant(Float32Array.of(1, 10, 100, 1000), [4, 1]);
    const table = constant(Float32Array.of(5, 6), [2, 1]);
    const once = constant(Int32Array.of(2, 0, -3, 9), [4]);
    expect(
      valuesOf([gather(table, indices), scatterAdd(updates, indices, 2), writeRows(table, once, updates)]),
    ).toEqual([
      [6, 0, 6, 0],
      [0, 101],
      [10, 6],
    ]);
  });

  test('softmax survives large numbers and cross-entropy skips what is no class', () => {
    const logits = constant(Float32Array.of(1000, 1000, 0, -1000, 0, 0), [2, 3]);
    const [soft, log, loss] = valuesOf([
      logits.softmax(),
      logits.logSoftmax(),
      crossEntropy(logits, constant(Int32Array.of(0, -1), [2])),
    ]);
    expect(soft[0]).toBeCloseTo(0.5, 12);
    expect(soft[1]).toBeCloseTo(0.5, 12);
    expect(log[0]).toBeCloseTo(-Math.LN2, 12);
    expect(loss[0]).toBeCloseTo(Math.LN2, 12);
    expect(loss[1]).toBe(0);
  });

  test('attention over an interval is softmax over those keys alone; an empty one gives zero', () => {
    const q = constant(Float32Array.of(1, 1), [1, 2, 1, 1]);
    const k = constant(Float32Array.of(0, Math.log(3), 50), [1, 3, 1, 1]);
    const v = constant(Float32Array.of(4, 8, 1e6), [1, 3, 1, 1]);
    const interval = (...data: number[]) => constant(Int32Array.from(data), [1, 2]);
    const [output] = valuesOf([attention({ q, k, v, begin: interval(0, 2), end: interval(2, 2) })]);
    expect(output[0]).toBeCloseTo((1 * 4 + 3 * 8) / 4, 6);
    expect(output[1]).toBe(0);
  });

  test('says which value is missing', () => {
    const error = caught(() => valuesOf([input([2, 3]).add(1)]));
    expect(error.code).toBe('TENSOR_UNBOUND');
    expect(error.message).toContain('[2, 3]');
  });
});
