/** @jest-environment ./test/webgpu-environment.mjs */
import type { AdamWKernel, Backend } from '@transfusion/tensor';
import { openTestBackend } from '../testing/backend.js';
import { KernelRun } from '../testing/kernel-run.js';
import { largestError, normals } from '../testing/numbers.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openTestBackend();
});
afterAll(() => backend.dispose());

const CONSTANTS = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };

interface State {
  parameter: ArrayLike<number>;
  m: ArrayLike<number>;
  v: ArrayLike<number>;
}

interface Step {
  learningRate: number;
  number: number;
  gradientScale: number;
}

/** One step of the definition in f64. */
function reference(state: State, gradient: ArrayLike<number>, step: Step): State {
  const { beta1, beta2, epsilon, weightDecay } = CONSTANTS;
  const g = Array.from(gradient, (value) => value * step.gradientScale);
  const m = g.map((value, i) => beta1 * state.m[i]! + (1 - beta1) * value);
  const v = g.map((value, i) => beta2 * state.v[i]! + (1 - beta2) * value * value);
  const parameter = Array.from(state.parameter, (p, i) => {
    const update = m[i]! / (1 - beta1 ** step.number) / (Math.sqrt(v[i]! / (1 - beta2 ** step.number)) + epsilon);
    return p - step.learningRate * weightDecay * p - step.learningRate * update;
  });
  return { parameter, m, v };
}

async function adamw(state: State, gradient: Float32Array, step: Step): Promise<State> {
  const run = new KernelRun(backend);
  const bias = [CONSTANTS.beta1, CONSTANTS.beta2].map((beta) => 1 - beta ** step.number);
  const operands = {
    parameter: run.input(Float32Array.from(state.parameter)),
    gradient: run.input(gradient),
    m: run.input(Float32Array.from(state.m)),
    v: run.input(Float32Array.from(state.v)),
    hyper: run.input(Float32Array.from([step.learningRate, ...bias])),
    gradientScale: run.input(Float32Array.from([step.gradientScale])),
  };
  const kernel: AdamWKernel = { kind: 'adamw', elements: gradient.length, ...CONSTANTS, ...operands };
  const [parameter, m, v] = await run.run([kernel], [kernel.parameter, kernel.m, kernel.v]);
  return { parameter: parameter!, m: m!, v: v! };
}

test('three steps of the worked example', async () => {
  // p = 1, gradients 0.5, -0.25, 0.1, learning rate 3e-4, in f64.
  const expected = [0.999670000006, 0.9995594990736274, 0.9994331267674321];
  let state: State = { parameter: [1], m: [0], v: [0] };
  for (const [i, gradient] of [0.5, -0.25, 0.1].entries()) {
    const step = { learningRate: 3e-4, number: i + 1, gradientScale: 1 };
    state = await adamw(state, Float32Array.from([gradient]), step);
    expect(Math.abs(state.parameter[0]! - expected[i]!)).toBeLessThan(2e-7);
  }
});

test.each([1, 3, 65, 1028])('%i elements, with moments and a gradient scale', async (elements) => {
  const state = {
    parameter: normals(elements, 41),
    m: normals(elements, 42, 0.1),
    v: normals(elements, 43, 0.1).map(Math.abs),
  };
  const gradient = normals(elements, 44);
  gradient[0] = 0;
  const step = { learningRate: 0.01, number: 7, gradientScale: 0.3 };
  const actual = await adamw(state, gradient, step);
  const expected = reference(state, gradient, step);
  expect(largestError(actual.parameter, expected.parameter)).toBeLessThan(5e-7);
  expect(largestError(actual.m, expected.m)).toBeLessThan(2e-7);
  expect(largestError(actual.v, expected.v)).toBeLessThan(2e-7);
});

test('a gradient scale of 0 leaves everything as it is, whatever the gradient', async () => {
  const state = { parameter: normals(9, 41), m: normals(9, 42), v: normals(9, 43).map(Math.abs) };
  const gradient = Float32Array.from({ length: 9 }, (_, i) => [Number.NaN, Number.POSITIVE_INFINITY, 1][i % 3]!);
  expect(await adamw(state, gradient, { learningRate: 0.01, number: 2, gradientScale: 0 })).toEqual(state);
});
