/** @jest-environment ./test/webgpu-environment.mjs */
import {
  adamw,
  compile,
  createVariables,
  evaluate,
  f32,
  isTensor,
  scalar,
  type Tensor,
  type Variable,
} from '@transfusion/tensor';
import type { WebGpuBackend } from '../backend.js';
import { openTestBackend } from '../testing/backend.js';
import { largestError, normals } from '../testing/numbers.js';

// Whole chunks, parts of them, vectors of four and not, one element.
const SIZES = [4096, 5, 1, 12, 9000, 4096 + 4, 20_000, 3, 128, 7];
const OPTIONS = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8 };
const MAX_NORM = 1;

interface State {
  parameters: Variable[];
  m: Variable[];
  v: Variable[];
  averages: Variable[];
}

interface Tensors {
  gradients: Tensor[];
  hyper: Tensor;
  decay: Tensor;
}

type Traced = Record<keyof State, Tensor[]>;

/** An optimizer's step: the norm of all gradients, the largest of each, updates and moving averages. */
function step({ gradients, hyper, decay }: Tensors, { parameters, m, v, averages }: Traced) {
  const squares = gradients.map((gradient) => gradient.square().sum());
  const norm = squares.reduce((sum, each) => sum.add(each)).sqrt();
  const gradientScale = scalar(MAX_NORM).div(norm).minimum(1);
  const updated = parameters.map((parameter, i) => {
    const own = { parameter, gradient: gradients[i], m: m[i], v: v[i], hyper, gradientScale };
    return adamw(own, { ...OPTIONS, weightDecay: i % 3 === 0 ? 0 : 0.1 });
  });
  return {
    outputs: { norm, largest: gradients.map((gradient) => gradient.max()) },
    updates: {
      parameters: updated.map(({ parameter }) => parameter),
      m: updated.map((each) => each.m),
      v: updated.map((each) => each.v),
      averages: averages.map((old, i) => updated[i].parameter.add(old.sub(updated[i].parameter).mul(decay))),
    },
  };
}

describe.each([
  ['a software adapter', false],
  ['hardware', true],
])('batches as lowered for %s', (_, asHardware) => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await openTestBackend({ asHardware });
  });
  afterAll(() => backend.dispose());

  /** Two steps, on variables side by side. */
  async function run(gradients: Float32Array[]) {
    const fill = (seed: number, positive = false) =>
      createVariables(
        backend,
        SIZES.map((size, i) => {
          const data = normals(size, seed + i);
          return { shape: [size], data: positive ? data.map(Math.abs) : data };
        }),
      );
    const state: State = { parameters: fill(100), m: fill(200), v: fill(300, true), averages: fill(400) };
    let graph: ReturnType<typeof step> | undefined;
    let leaves: Tensor[] = [];
    const inputs = { gradients: SIZES.map((size) => f32(size)), hyper: f32(3), decay: f32(1) };
    const compiled = await compile({
      backend,
      name: 'step',
      inputs,
      state,
      fn: (tensors, own) => {
        graph = step(tensors as Tensors, own as Traced);
        leaves = [...(Object.values(own) as Tensor[][]).flat(), ...tensors.gradients, tensors.hyper, tensors.decay];
        return graph;
      },
    });
    const variables = Object.values(state).flat() as Variable[];
    const arrays = { gradients, hyper: Float32Array.of(3e-3, 0.1, 0.05), decay: Float32Array.of(0.7) };
    const errors: number[] = [];
    let outputs: { norm: Float32Array; largest: Float32Array[] } | undefined;
    for (let times = 0; times < 2; times++) {
      const before = await Promise.all(variables.map((variable) => variable.read()));
      outputs = await compiled.run(arrays);
      const { norm, largest } = outputs;
      const after = await Promise.all(variables.map((variable) => variable.read()));
      const { updates } = graph!;
      const wanted = [graph!.outputs.norm, ...graph!.outputs.largest, ...Object.values(updates).flat()].filter(
        isTensor,
      );
      const values = [...before, ...gradients, arrays.hyper, arrays.decay];
      const expected = evaluate(wanted, new Map(leaves.map((leaf, i) => [leaf, values[i]])));
      errors.push(...[norm, ...largest, ...after].map((actual, i) => largestError(actual, expected[i])));
    }
    for (const variable of variables) variable.destroy();
    return { errors, kernels: compiled.program.kernels.length, outputs: outputs! };
  }

  test('an optimizer step of many tensors is that of the definitions, in a few dispatches', async () => {
    const built = backend.stats().builtBindGroups;
    const { errors, kernels } = await run(SIZES.map((size, i) => normals(size, i)));
    expect(Math.max(...errors)).toBeLessThan(1e-5);
    expect(kernels).toBeGreaterThan(4 * SIZES.length);
    expect(backend.stats().builtBindGroups - built).toBeLessThan(25);
  });

  test('a NaN shows in its own maximum and in the norm', async () => {
    const gradients = SIZES.map((size, i) => normals(size, i));
    gradients[4][5000] = Number.NaN;
    const { outputs } = await run(gradients);
    expect(outputs.norm).toEqual(Float32Array.of(Number.NaN));
    const largest = gradients.map((gradient, i) => (i === 4 ? Number.NaN : Math.max(...gradient)));
    expect(outputs.largest.map(([value]) => value)).toEqual(largest);
  });
});
