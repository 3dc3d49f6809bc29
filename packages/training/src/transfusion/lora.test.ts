/** @file Training LoRAs of the whole model: gradients, what is changed and what stays, memory. */
import { gradientTree, initialise, type LowRankParameters, linearLayers } from '@transfusion/nn';
import {
  type Backend,
  compile,
  createVariable,
  flattenTree,
  isVariable,
  mapTree,
  PhiloxStream,
  sizeOf,
  type Variable,
} from '@transfusion/tensor';
import { type TransfusionParameters, transfusionSpec } from '@transfusion/transformer';
import { openWasm } from '@transfusion/wasm';
import { compileLosses, compileStep } from '../compile-step.js';
import { planRun } from '../plan-step.js';
import { stepNumbers, syntheticRun } from '../testing/synthetic-run.js';
import { createTrainState, destroyTrainState, initialValues, type TrainState } from '../train-state.js';
import type { LoraConfig } from './base-model.js';
import { transfusionObjective } from './objective.js';

const LORA: LoraConfig = { rank: 3, alpha: 6, targets: ['*'] };
const SCALE = 2;
const run = syntheticRun();
const spec = transfusionSpec(run.sizes.model);
const layers = linearLayers(spec);
const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;

/** Random weights, nothing of them zero. */
const base: Map<string, Float32Array> = new Map(
  [...flattenTree<Float32Array>(initialise(spec, 4), isArray)].map(([path, data], i) => {
    const random = new PhiloxStream(i, 9);
    return [path, data.map((value) => value + 0.05 * random.normal())];
  }),
);
const constants = mapTree(
  spec,
  (value): value is { shape: number[] } => 'shape' in Object(value),
  ({ shape }, path) => ({
    shape,
    data: base.get(path)!,
  }),
);

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
});
afterAll(() => backend.dispose());

function loraRun(lora: LoraConfig) {
  const objective = transfusionObjective({ ...run.sizes, lora });
  return { objective, phases: [{ from: 0, objective: objective as never }] };
}

function loraState(lora: LoraConfig): TrainState {
  const { phases } = loraRun(lora);
  return createTrainState(backend, phases, { ...run.options, values: initialValues(phases, 3), constants });
}

/** W of a layer, by the layer's path. */
const weightName = (path: string) => (base.has(path) ? path : `${path}.weight`);

test('every linear layer of the model is one', () => {
  const names = [...layers.keys()].map((path) => path.replace(/blocks\.\d+/, 'block'));
  expect([...new Set(names)]).toEqual([
    ...['timestepEmbedding.first', 'timestepEmbedding.second', 'patchIn'],
    ...['query', 'key', 'value', 'output'].map((name) => `block.attention.${name}`),
    ...['gate', 'up', 'down'].map((name) => `block.feedForward.${name}`),
    ...['languageHead', 'patchOut'],
  ]);
});

test('untrained, the losses are those of the model, in every bit', async () => {
  const [batch] = run.batches.step(0);
  const state = loraState(LORA);
  const adapted = await compileLosses(backend, loraRun(LORA).objective as never, state);
  const plain = await compileLosses(backend, run.objective, { parameters: state.constants });
  expect(await adapted.run({ batch })).toEqual(await plain.run({ batch }));
  for (const compiled of [adapted, plain]) compiled.dispose();
  destroyTrainState(state);
});

test('gradients of A and B are those of the merged weights, by the chain rule: scale B^T dW, and scale dW A^T', async () => {
  const [batch] = run.batches.step(0);
  const random = new PhiloxStream(2);
  const state = loraState(LORA);
  const adapters = new Map<string, LowRankParameters<Float32Array>>();
  for (const [path, { a, b }] of Object.entries(state.parameters as Record<string, LowRankParameters<Variable>>)) {
    const values = {
      a: await a.read(),
      b: Float32Array.from({ length: sizeOf(b.shape) }, () => 0.1 * random.normal()),
    };
    b.write(values.b);
    adapters.set(path, values);
  }
  const { objective } = loraRun(LORA);
  const adapted = await compile({
    backend,
    name: 'gradients of adapters',
    inputs: { batch: objective.inputs },
    state: { parameters: state.parameters, constants: state.constants },
    fn: ({ batch }, traced) => {
      const { total } = objective.losses({ ...traced, discriminator: undefined } as never, batch as never);
      return { outputs: gradientTree(total, traced.parameters) };
    },
  });
  const found = flattenTree<Float32Array>(await adapted.run({ batch } as never), isArray);

  const merged = new Map(base);
  for (const [path, { a, b }] of adapters) {
    const { outputs, inputs } = layers.get(path)!;
    const w = base.get(weightName(path))!.slice();
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) {
        for (let r = 0; r < LORA.rank; r++) w[o * inputs + i] += SCALE * b[o * LORA.rank + r] * a[r * inputs + i];
      }
    }
    merged.set(weightName(path), w);
  }
  const parameters = mapTree(state.constants, isVariable, ({ shape }, path) =>
    createVariable(backend, { shape, data: merged.get(path) }),
  ) as TransfusionParameters<Variable>;
  const plain = await compile({
    backend,
    name: 'gradients of weights',
    inputs: { batch: run.objective.inputs },
    state: { parameters },
    fn: ({ batch }, traced) => {
      const { total } = run.objective.losses(
        { ...traced, discriminator: undefined, constants: undefined },
        batch as never,
      );
      return { outputs: gradientTree(total, traced.parameters) };
    },
  });
  const slopes = flattenTree<Float32Array>(await plain.run({ batch } as never), isArray);

  expect(adapters.size).toBe(layers.size);
  for (const [path, { a, b }] of adapters) {
    const { outputs, inputs } = layers.get(path)!;
    const dw = slopes.get(weightName(path))!;
    const da = new Float64Array(a.length);
    const db = new Float64Array(b.length);
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) {
        for (let r = 0; r < LORA.rank; r++) {
          da[r * inputs + i] += SCALE * b[o * LORA.rank + r] * dw[o * inputs + i];
          db[o * LORA.rank + r] += SCALE * dw[o * inputs + i] * a[r * inputs + i];
        }
      }
    }
    expect(relativeError(found.get(`${path}.a`)!, da)).toBeLessThan(1e-4);
    expect(relativeError(found.get(`${path}.b`)!, db)).toBeLessThan(1e-4);
  }
  for (const compiled of [adapted, plain]) compiled.dispose();
  for (const variable of flattenTree<Variable>(parameters, isVariable).values()) variable.destroy();
  destroyTrainState(state);
});

function relativeError(actual: Float32Array, expected: Float64Array): number {
  const magnitude = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(magnitude).toBeGreaterThan(0);
  return expected.reduce((worst, value, i) => Math.max(worst, Math.abs(actual[i] - value)), 0) / magnitude;
}

test('a batch is learned by heart by the adapters alone: the model keeps every bit', async () => {
  const lora: LoraConfig = { rank: 8, alpha: 16, targets: 'all-linear' };
  const state = loraState(lora);
  const { objective } = loraRun(lora);
  const step = await compileStep(backend, state, objective as never, run.options);
  const [batch] = run.batches.step(0);
  const losses: number[] = [];
  for (let i = 1; i <= 120; i++) {
    const { terms } = await step.run({ batch, ...stepNumbers(run, i, 1e-2) } as never);
    losses.push((terms as { language: Float32Array }).language[0]);
  }
  expect(losses[0]).toBeGreaterThan(3);
  expect(losses.at(-1)).toBeLessThan(losses[0] / 2);
  for (const [path, variable] of flattenTree<Variable>(state.constants, isVariable)) {
    expect(await variable.read()).toEqual(base.get(path));
  }
  step.dispose();
  destroyTrainState(state);
});

describe('memory', () => {
  const numbersOf = (rank: number) =>
    [...layers.values()].reduce((sum, { outputs, inputs }) => sum + rank * (outputs + inputs), 0);
  const parameters = [...base.values()].reduce((sum, { length }) => sum + length, 0);

  test.each([1, 3])('the state is 4 times r (in + out) numbers of each layer, at rank %i', async (rank) => {
    const { phases } = loraRun({ ...LORA, rank });
    const { step } = await planRun(phases, run.options, 1, constants);
    expect(step.stateBytes).toBe(4 * 4 * numbersOf(rank));
    expect(step.constantBytes).toBe(4 * parameters);
    const full = await planRun(run.phases, run.options, 1);
    expect(full.step).toMatchObject({ stateBytes: 4 * 4 * parameters, constantBytes: 0 });
  });

  test("no gradient of a weight is made: products over the batch's rows have a side of the rank", async () => {
    const rowsOf = async (state: TrainState, objective: unknown) => {
      const step = await compileStep(backend, state, objective as never, run.options);
      const gradients = step.program.kernels.flatMap((kernel) =>
        kernel.kind === 'matmul' && kernel.a.transpose ? [Math.min(kernel.m, kernel.n)] : [],
      );
      step.dispose();
      destroyTrainState(state);
      return gradients;
    };
    const adapted = await rowsOf(loraState(LORA), loraRun(LORA).objective);
    expect(adapted).toEqual(new Array(2 * layers.size).fill(LORA.rank));
    const plain = createTrainState(backend, run.phases, { ...run.options, values: run.initial });
    expect(Math.min(...(await rowsOf(plain, run.objective)))).toBeGreaterThan(LORA.rank);
  });
});
