/** @file The whole training step against PyTorch's, written from the paper (scripts/golden_transfusion_step.py). */
import { packDocuments } from '@transfusion/data';
import { addNoise } from '@transfusion/losses';
import { createParameters, isParameterSpec } from '@transfusion/nn';
import { createObjective } from '@transfusion/schedulers';
import {
  type Backend,
  compile,
  constant,
  evaluate,
  flattenTree,
  grad,
  type HostArray,
  isTensor,
  isTensorSpec,
  isVariable,
  mapTree,
  sizeOf,
  type Tensor,
  type Variable,
} from '@transfusion/tensor';
import { forward, languageLogits, type TransfusionParameters } from '@transfusion/transformer';
import { openWasm } from '@transfusion/wasm';
import type { BatchTensors, Optimisation } from '../index.js';
import { createStepRunner } from '../step-runner.js';
import {
  CASES,
  golden,
  goldenArray,
  goldenArrays,
  goldenBatch,
  goldenDocuments,
  relativeError,
} from '../testing/golden-step.js';
import { readState } from '../testing/state.js';
import { createTrainState, destroyTrainState, initialValues } from '../train-state.js';
import { type TransfusionInputs, transfusionObjective } from './objective.js';

/**
 * Largest differences, as a part of the largest magnitude in each tensor. f64 here and there, but for the tables of frequencies
 * and rotations, which are f32 here (an angle of timestep 999 is then off by up to 3e-6): up to 9e-7.
 */
const F64 = 3e-6;
/** f32 rounds at 6e-8, added up through two blocks, forwards and backwards: up to 2e-6. */
const F32 = 1e-5;
/** AdamW divides small gradients by their own size, so that ten steps add to it: up to 4e-6. */
const TEN_STEPS = 2e-5;

const isHostArray = (value: unknown): value is HostArray => ArrayBuffer.isView(value);

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
});
afterAll(() => backend.dispose());

/** Errors by name: those that are too large. */
function tooLarge(errors: [string, number][], tolerance: number): [string, number][] {
  return errors.filter(([, error]) => !(error < tolerance));
}

describe('the batch', () => {
  const { patchSize, patchValues } = golden.cases.plain.model;
  const packed = packDocuments(goldenDocuments(), {
    ...golden.batch,
    ...{ patchSize, channels: patchValues / patchSize ** 2, special: golden.special },
  });

  test('is what packDocuments makes of the documents', () => {
    expect(packed.unplaced).toEqual([]);
    const { tokens, positions, begin, end, targets } = packed;
    const groups = packed.groups.map(({ latents, patchIndex, patchPositions, mask }) => ({
      ...{ latents, patchIndex, patchPositions, mask },
    }));
    for (const [path, array] of flattenTree<HostArray>(
      { tokens, positions, begin, end, targets, groups },
      isHostArray,
    )) {
      expect([path, Array.from(array)]).toEqual([path, Array.from(goldenArray(`batch.${path}`))]);
    }
    expect([targets.filter((target) => target >= 0).length]).toEqual([...goldenArray('batch.targetCount')]);
    expect([packed.images.filter(({ role }) => role === 'target').length]).toEqual([
      ...goldenArray('batch.imageCount'),
    ]);
  });

  test('has the noise of our schedule, and none in what is only looked at', () => {
    const objective = createObjective();
    for (const { group, slot, role } of packed.images) {
      const timestep = goldenArray(`batch.groups.${group}.timesteps`)[slot];
      const expected = role === 'context' ? [1, 0, 0, 0] : objective.targetCoefficients(timestep);
      const actual = goldenArray(`batch.groups.${group}.noiseCoefficients`).slice(slot * 4, slot * 4 + 4);
      expect(relativeError(actual, expected)).toBeLessThan(1e-7);
    }
  });
});

describe.each(CASES)('%s: as in PyTorch', (name) => {
  const { model, optimizer } = golden.cases[name];
  const objective = transfusionObjective({ model, batch: golden.batch, lambda: golden.lambda, noise: 'given' });
  const arrays = goldenBatch(objective.inputs, 1);
  const weights = goldenArrays(`${name}/weights.`);
  const paths = [...weights.keys()];
  const numbers = goldenArray(`${name}/numbers`);

  /** What is compared of the first step, in the graph. */
  function firstStep(p: TransfusionParameters, batch: BatchTensors<TransfusionInputs>) {
    const { total, terms } = objective.losses({ parameters: p, discriminator: undefined, constants: undefined }, batch);
    const images = batch.groups.map((group) => ({
      ...group,
      latents: addNoise({ ...group, noise: group.noise!, coefficients: group.noiseCoefficients }).noised,
    }));
    const leaves = flattenTree<Tensor>(p, isTensor);
    const gradients = grad(
      total,
      paths.map((path) => leaves.get(path)!),
    );
    return {
      logits: languageLogits(p, forward(model, p, { ...batch, images }).hidden),
      losses: [terms.language, terms.diffusion, total],
      gradients,
    };
  }

  function errors(actual: {
    logits: ArrayLike<number>;
    losses: ArrayLike<number>[];
    gradients: ArrayLike<number>[];
  }): [string, number][] {
    const expected = (part: string) => goldenArray(`${name}/${part}`);
    return [
      ['logits', relativeError(actual.logits, expected('logits'))],
      ...actual.losses.map((loss, i): [string, number] => [
        ['language', 'diffusion', 'total'][i],
        relativeError(loss, [numbers[i]]),
      ]),
      ...actual.gradients.map((gradient, i): [string, number] => [
        paths[i],
        relativeError(gradient, expected(`gradient.${paths[i]}`)),
      ]),
    ];
  }

  test('logits, losses and every gradient in f64', () => {
    const p = mapTree(objective.parameters as TransfusionParameters<never>, isParameterSpec, ({ shape }, path) => {
      expect(weights.get(path)).toHaveLength(sizeOf(shape));
      return constant(weights.get(path)!, shape);
    }) as TransfusionParameters;
    expect([...flattenTree<Tensor>(p, isTensor).keys()].sort()).toEqual([...paths].sort());
    const given = flattenTree<HostArray>(arrays, isHostArray);
    const batch = mapTree(objective.inputs, isTensorSpec, ({ shape }, path) => constant(given.get(path)!, shape));
    const { logits, losses, gradients } = firstStep(p, batch);
    const values = evaluate([logits, ...losses, ...gradients], new Map());
    const found = errors({ logits: values[0], losses: values.slice(1, 4), gradients: values.slice(4) });
    expect(tooLarge(found, F64)).toEqual([]);
  });

  test('logits, losses and every gradient on wasm', async () => {
    const state = createParameters(backend, objective.parameters, weights) as TransfusionParameters<Variable>;
    const compiled = await compile({
      backend,
      name: 'golden',
      inputs: { batch: objective.inputs },
      state,
      fn: ({ batch }, p) => ({ outputs: firstStep(p as TransfusionParameters, batch) }),
    });
    expect(tooLarge(errors(await compiled.run({ batch: arrays })), F32)).toEqual([]);
    compiled.dispose();
    for (const variable of flattenTree<Variable>(state, isVariable).values()) variable.destroy();
  });

  test('ten steps: losses, norms, weights, moments and averages on wasm', async () => {
    const { ema, learningRate, steps } = golden;
    const optimisation: Optimisation = { optimizer, ema, learningRate, steps };
    const phases = [{ from: 0, objective: objective }];
    const values = initialValues(phases, 0, weights);
    const state = createTrainState(backend, phases, { accumulation: 1, values });
    const runner = await createStepRunner({ backend, state, phases, optimisation });
    const found: [string, number][] = [];
    for (let step = 1; step <= steps; step++) {
      const { terms, gradientNorm } = await runner.run(step, [goldenBatch(objective.inputs, step)]);
      const [language, diffusion, , norm] = numbers.slice((step - 1) * 4, step * 4);
      found.push([`language ${step}`, relativeError([terms.language], [language])]);
      found.push([`diffusion ${step}`, relativeError([terms.diffusion], [diffusion])]);
      found.push([`norm ${step}`, relativeError([gradientNorm], [norm])]);
    }
    for (const [part, contents] of Object.entries(await readState(state))) {
      for (const [path, array] of contents) {
        found.push([`${part}.${path}`, relativeError(array, goldenArray(`${name}/after.${part}.${path}`))]);
      }
    }
    expect(found).toHaveLength(3 * steps + 4 * paths.length);
    expect(tooLarge(found, TEN_STEPS)).toEqual([]);
    runner.dispose();
    destroyTrainState(state);
  });
});
