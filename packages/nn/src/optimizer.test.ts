import { constant, evaluate, scalar, type Tensor } from '@transfusion/tensor';
import { adamwHyper, adamwUpdate, clipScale, emaUpdate, globalNorm, vector, weight } from './index.js';

const tensor = (shape: number[], ...data: number[]) => constant(Float32Array.from(data), shape);
const value = (x: Tensor) => evaluate([x], new Map())[0][0];
const paper = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };

/** Steps of one parameter in f64: values of the last step go back in by bindings. */
function trajectory(options: { gradients: number[]; start: number; spec: unknown }): number[] {
  const { gradients, start, spec } = options;
  const leaf = () => tensor([1], 0);
  const [p, m, v, g, hyper] = [leaf(), leaf(), leaf(), leaf(), tensor([3], 0, 0, 0)];
  const next = adamwUpdate(
    {
      specs: { p: spec },
      parameters: { p },
      gradients: { p: g },
      m: { p: m },
      v: { p: v },
      hyper,
      gradientScale: scalar(1),
    },
    paper,
  );
  let [at, first, second] = [start, 0, 0];
  return gradients.map((gradient, i) => {
    const step = i + 1;
    // In f64, unlike adamwHyper, which gives what the graph takes.
    const numbers = [3e-4, 1 - paper.beta1 ** step, 1 - paper.beta2 ** step];
    const bindings = new Map<Tensor, number[]>([
      [p, [at]],
      [m, [first]],
      [v, [second]],
      [g, [gradient]],
      [hyper, numbers],
    ]);
    [at, first, second] = evaluate([next.parameters.p, next.m.p, next.v.p], bindings).map(([number]) => number);
    return at;
  });
}

describe('AdamW', () => {
  test('three steps from 1 with gradients 0.5, -0.25, 0.1: lr 3e-4, betas 0.9 and 0.95, decoupled decay 0.1', () => {
    const steps = trajectory({ gradients: [0.5, -0.25, 0.1], start: 1, spec: weight([1], 1) });
    expect(steps[0]).toBeCloseTo(0.999670000006, 12);
    expect(steps[1]).toBeCloseTo(0.9995594990736274, 12);
    expect(steps[2]).toBeCloseTo(0.9994331267674321, 12);
  });

  test('biases and gains do not decay', () => {
    const [step] = trajectory({ gradients: [0.5], start: 1, spec: vector(1) });
    expect(step).toBeCloseTo(1 - 3e-4 / (1 + 2e-8), 12);
  });

  test('a gradient of zero leaves decay alone', () => {
    const [step] = trajectory({ gradients: [0], start: 2, spec: weight([1], 1) });
    expect(step).toBeCloseTo(2 - 3e-4 * 0.1 * 2, 12);
  });

  test('adamwHyper gives learning rate and bias corrections', () => {
    const hyper = adamwHyper({ learningRate: 3e-4, beta1: 0.9, beta2: 0.95, step: 2 });
    [3e-4, 0.19, 0.0975].forEach((number, i) => expect(hyper[i]).toBe(Math.fround(number)));
  });

  test('goes through a whole tree, each leaf with its own gradient', () => {
    const tree = (a: number, b: number) => ({ list: [{ a: tensor([1], a) }], b: tensor([1], b) });
    const next = adamwUpdate(
      {
        specs: { list: [{ a: weight([1], 1) }], b: vector(1) },
        parameters: tree(1, 2),
        gradients: tree(1, -1),
        m: tree(0, 0),
        v: tree(0, 0),
        hyper: tensor([3], 0.5, 0.1, 0.05),
        gradientScale: scalar(1),
      },
      { ...paper, weightDecay: 0 },
    );
    expect(value(next.parameters.list[0].a)).toBeCloseTo(0.5, 6);
    expect(value(next.parameters.b)).toBeCloseTo(2.5, 6);
    expect(value(next.m.b)).toBeCloseTo(-0.1, 7);
    expect(value(next.v.list[0].a)).toBeCloseTo(0.05, 7);
  });
});

describe('clipping by the global norm', () => {
  const gradients = { a: tensor([2], 3, 0), b: [tensor([1, 1], 4)] };

  test('the norm is over all elements of all leaves', () => expect(value(globalNorm(gradients))).toBe(5));

  test('the scale brings it to the maximum, and never enlarges', () => {
    expect(value(clipScale(globalNorm(gradients), 1))).toBeCloseTo(0.2, 6);
    expect(value(clipScale(globalNorm(gradients), 5.1))).toBe(1);
    expect(value(clipScale(scalar(0), 1))).toBe(1);
  });

  test('AdamW sees the scaled gradient', () => {
    const one = (x: number) => ({ p: tensor([1], x) });
    const { m, v } = adamwUpdate(
      {
        specs: { p: vector(1) },
        parameters: one(0),
        gradients: one(10),
        m: one(0),
        v: one(0),
        hyper: tensor([3], 0, 1, 1),
        gradientScale: scalar(0.1),
      },
      paper,
    );
    expect(value(m.p)).toBeCloseTo(0.1, 7);
    expect(value(v.p)).toBeCloseTo(0.05, 7);
  });
});

test('a moving average keeps `decay` of what it was', () => {
  const average = emaUpdate({ a: [tensor([2], 1, 2)] }, { a: [tensor([2], 5, -2)] }, tensor([1], 0.75));
  expect([...evaluate([average.a[0]], new Map())[0]]).toEqual([2, 1]);
  const still = emaUpdate({ a: tensor([1], 3) }, { a: tensor([1], 100) }, tensor([1], 1));
  expect(value(still.a)).toBe(3);
});
