/** @file Adapted linear layers on one backend: values and gradients against f64, finite differences and PyTorch. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Backend, compile, f32, PhiloxStream, type Tensor } from '@transfusion/tensor';
import { gradientTree, project } from '../index.js';

/** Two adapters of different ranks and scales on one layer, or what PyTorch was given. */
interface Case {
  rows: number;
  inputs: number;
  outputs: number;
  ranks: number[];
  scales: number[];
  arrays: Record<string, Float32Array>;
}

/** What the loss is differentiated by; W is not trained. */
const TRAINED = ['x', 'a0', 'b0', 'a1', 'b1'];

function randomCase(): Case {
  const sizes = { rows: 5, inputs: 7, outputs: 6, ranks: [2, 3], scales: [1.5, -0.4] };
  const random = new PhiloxStream(7);
  const array = (count: number) => Float32Array.from({ length: count }, () => random.normal());
  const { rows, inputs, outputs, ranks } = sizes;
  const adapters = ranks.flatMap((rank, i) => [
    [`a${i}`, array(rank * inputs)] as const,
    [`b${i}`, array(outputs * rank)] as const,
  ]);
  const fixed = { x: array(rows * inputs), w: array(outputs * inputs), g: array(rows * outputs) };
  return { ...sizes, arrays: { ...fixed, ...Object.fromEntries(adapters) } };
}

/** y [rows, outputs] in f64, an element at a time: W' = W + sum of scale B A first, then x W'^T. */
function reference(
  { rows, inputs, outputs, ranks, scales }: Case,
  arrays: Record<string, ArrayLike<number>>,
): number[] {
  const { x, w } = arrays;
  const merged = Array.from({ length: outputs * inputs }, (_, at) => {
    const [o, i] = [Math.floor(at / inputs), at % inputs];
    let sum = w[at];
    ranks.forEach((rank, n) => {
      for (let r = 0; r < rank; r++) sum += scales[n] * arrays[`b${n}`][o * rank + r] * arrays[`a${n}`][r * inputs + i];
    });
    return sum;
  });
  return Array.from({ length: rows * outputs }, (_, at) => {
    const [t, o] = [Math.floor(at / outputs), at % outputs];
    let sum = 0;
    for (let i = 0; i < inputs; i++) sum += x[t * inputs + i] * merged[o * inputs + i];
    return sum;
  });
}

/** sum of g tanh(y): not linear in anything. */
function loss(given: Case, arrays: Record<string, ArrayLike<number>>): number {
  return reference(given, arrays).reduce((sum, y, i) => sum + arrays.g[i] * Math.tanh(y), 0);
}

async function run(backend: Backend, given: Case) {
  const { rows, inputs, outputs, ranks, scales, arrays } = given;
  const adapters = ranks.flatMap((rank, i) => [
    [`a${i}`, f32(rank, inputs)] as const,
    [`b${i}`, f32(outputs, rank)] as const,
  ]);
  const compiled = await compile({
    backend,
    name: 'adapted layer',
    inputs: {
      ...{ x: f32(rows, inputs), w: f32(outputs, inputs), g: f32(rows, outputs) },
      ...(Object.fromEntries(adapters) as Record<string, ReturnType<typeof f32>>),
    },
    fn: (tensors) => {
      const all = tensors as Record<string, Tensor>;
      const weight = {
        base: all.w,
        adapters: scales.map((scale, i) => ({ a: all[`a${i}`], b: all[`b${i}`], scale })),
      };
      const y = project(weight, all.x);
      const trained = Object.fromEntries(TRAINED.filter((name) => name in all).map((name) => [name, all[name]]));
      return { outputs: { y, gradients: gradientTree(y.tanh().mul(all.g).sum(), trained) } };
    },
  });
  const result = await compiled.run(arrays as never);
  compiled.dispose();
  return result as { y: Float32Array; gradients: Record<string, Float32Array> };
}

function greatestError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  return Array.from(expected).reduce(
    (worst, value, i) => Math.max(worst, Math.abs(actual[i] - value) / (1 + Math.abs(value))),
    0,
  );
}

export function lowRankSuite(open: () => Promise<Backend>): void {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.dispose());

  test('a layer with two adapters is that of W + scale B A + scale B A', async () => {
    const given = randomCase();
    const { y } = await run(backend, given);
    expect(greatestError(y, reference(given, given.arrays))).toBeLessThan(2e-6);
  });

  test('its gradients are those of finite differences, in f64', async () => {
    const given = randomCase();
    const { gradients } = await run(backend, given);
    for (const name of TRAINED) {
      const slopes = Array.from(given.arrays[name], (value, i) => {
        const step = 1e-5;
        const at = (moved: number) => {
          const changed = Float64Array.from(given.arrays[name]);
          changed[i] = value + moved;
          return loss(given, { ...given.arrays, [name]: changed });
        };
        return (at(step) - at(-step)) / (2 * step);
      });
      expect(Math.max(...slopes.map(Math.abs))).toBeGreaterThan(0.1);
      expect(greatestError(gradients[name], slopes)).toBeLessThan(5e-6);
    }
  });

  test("values and gradients are PyTorch's (scripts/golden_lora.py)", async () => {
    const { sizes, arrays, expected } = JSON.parse(
      readFileSync(join(__dirname, '../../fixtures/lora.json'), 'utf8'),
    ) as { sizes: Omit<Case, 'arrays'>; arrays: Record<string, number[]>; expected: Record<string, number[]> };
    const given = Object.fromEntries(Object.entries(arrays).map(([name, list]) => [name, Float32Array.from(list)]));
    const { y, gradients } = await run(backend, { ...sizes, arrays: given });
    expect(greatestError(y, expected.y)).toBeLessThan(2e-6);
    expect(Object.keys(gradients).sort()).toEqual(['a0', 'b0', 'x']);
    for (const [name, gradient] of Object.entries(gradients)) {
      expect(greatestError(gradient, expected[name])).toBeLessThan(5e-6);
    }
  });

  test('an adapter whose B is zero changes no bit', async () => {
    const given = randomCase();
    const zero = (name: string) => new Float32Array(given.arrays[name].length);
    const { y } = await run(backend, { ...given, arrays: { ...given.arrays, b0: zero('b0'), b1: zero('b1') } });
    const { x, w, g } = given.arrays;
    const plain = await run(backend, { ...given, ranks: [], scales: [], arrays: { x, w, g } });
    expect([...y]).toEqual([...plain.y]);
  });
}
