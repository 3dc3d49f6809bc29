/** @file The first step and ten steps of a case of scripts/golden_transfusion_step.py, in f64 and on a backend. */
import { addNoise } from '@transfusion/losses';
import { createParameters, isParameterSpec, type ParameterSpec } from '@transfusion/nn';
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
import type { BatchTensors, Optimisation } from '../index.js';
import { createStepRunner } from '../step-runner.js';
import { createTrainState, destroyTrainState, initialValues } from '../train-state.js';
import { type TransfusionInputs, transfusionObjective } from '../transfusion/objective.js';
import { type Golden, readGolden, relativeError, type Variant } from './golden-step.js';
import { readState } from './state.js';

/** Names with their largest differences, as a part of the largest magnitude in each tensor. */
export type Errors = [string, number][];

export const isHostArray = (value: unknown): value is HostArray => ArrayBuffer.isView(value);

/** The case, whose parameters must be those of our model. */
export function goldenCase(golden: Golden, name: string) {
  const { model, optimizer } = golden.cases[name];
  const objective = transfusionObjective({ model, batch: golden.batch, lambda: golden.lambda, noise: 'given' });
  const arrays = golden.batchOf(objective.inputs, 1);
  const weights = golden.arrays(`${name}/weights.`);
  // Whatever is added to all keys alike is no part of attention: the gradient of their bias is rounding alone.
  const paths = [...weights.keys()].filter((path) => !path.endsWith('to_k.bias'));
  const sizes = [...flattenTree<ParameterSpec>(objective.parameters, isParameterSpec)].map(
    ([path, { shape }]): [string, number] => [path, sizeOf(shape)],
  );
  expect(new Map(sizes)).toEqual(new Map([...weights].map(([path, { length }]) => [path, length])));
  const numbers = golden.array(`${name}/numbers`);

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
  }): Errors {
    const expected = (part: string) => golden.array(`${name}/${part}`);
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

  return {
    inF64(): Errors {
      const p = mapTree(objective.parameters as TransfusionParameters<never>, isParameterSpec, ({ shape }, path) =>
        constant(weights.get(path)!, shape),
      ) as TransfusionParameters;
      const given = flattenTree<HostArray>(arrays, isHostArray);
      const batch = mapTree(objective.inputs, isTensorSpec, ({ shape }, path) => constant(given.get(path)!, shape));
      const { logits, losses, gradients } = firstStep(p, batch);
      const values = evaluate([logits, ...losses, ...gradients], new Map());
      return errors({ logits: values[0], losses: values.slice(1, 4), gradients: values.slice(4) });
    },

    async firstStepOn(backend: Backend): Promise<Errors> {
      const state = createParameters(backend, objective.parameters, weights) as TransfusionParameters<Variable>;
      const compiled = await compile({
        backend,
        name: 'golden',
        inputs: { batch: objective.inputs },
        state,
        fn: ({ batch }, p) => ({ outputs: firstStep(p as TransfusionParameters, batch) }),
      });
      const found = errors(await compiled.run({ batch: arrays }));
      compiled.dispose();
      for (const variable of flattenTree<Variable>(state, isVariable).values()) variable.destroy();
      return found;
    },

    /** Losses, norms, and in the end weights, moments and averages. */
    async tenStepsOn(backend: Backend): Promise<Errors> {
      const { ema, learningRate, steps } = golden;
      const optimisation: Optimisation = { optimizer, ema, learningRate, steps };
      const phases = [{ from: 0, objective: objective }];
      const values = initialValues(phases, 0, weights);
      const state = createTrainState(backend, phases, { accumulation: 1, values });
      const runner = await createStepRunner({ backend, state, phases, optimisation });
      const found: Errors = [];
      for (let step = 1; step <= steps; step++) {
        const { terms, gradientNorm } = await runner.run(step, [golden.batchOf(objective.inputs, step)]);
        const [language, diffusion, , norm] = numbers.slice((step - 1) * 4, step * 4);
        found.push([`language ${step}`, relativeError([terms.language], [language])]);
        found.push([`diffusion ${step}`, relativeError([terms.diffusion], [diffusion])]);
        found.push([`norm ${step}`, relativeError([gradientNorm], [norm])]);
      }
      for (const [part, contents] of Object.entries(await readState(state))) {
        for (const [path, array] of contents) {
          if (!paths.includes(path)) continue;
          found.push([`${part}.${path}`, relativeError(array, golden.array(`${name}/after.${part}.${path}`))]);
        }
      }
      runner.dispose();
      destroyTrainState(state);
      expect(found).toHaveLength(3 * steps + 4 * paths.length);
      return found;
    },
  };
}

/** Largest errors of a first step and of ten in f32. */
interface Tolerances {
  firstStep: number;
  tenSteps: number;
}

/**
 * f32 rounds at 6e-8, added up through two blocks, forwards and backwards: up to 3e-6. AdamW divides small gradients by their own
 * size, so that ten steps add to it: up to 5e-6. A U-Net is some twenty layers more: up to 8e-6, and 3e-5.
 */
const TOLERANCES: Record<Variant, Tolerances> = {
  '': { firstStep: 1e-5, tenSteps: 2e-5 },
  unet: { firstStep: 3e-5, tenSteps: 1e-4 },
  modalities: { firstStep: 1e-5, tenSteps: 2e-5 },
  clean: { firstStep: 1e-5, tenSteps: 2e-5 },
};

/** The case on a backend. */
export function goldenDeviceTests(variant: Variant, name: string, backend: () => Backend): void {
  const golden = readGolden(variant);
  const tolerances = TOLERANCES[variant];

  test('logits, losses and every gradient', async () => {
    expect(tooLarge(await goldenCase(golden, name).firstStepOn(backend()), tolerances.firstStep)).toEqual([]);
  });

  test('ten steps: losses, norms, weights, moments and averages', async () => {
    expect(tooLarge(await goldenCase(golden, name).tenStepsOn(backend()), tolerances.tenSteps)).toEqual([]);
  });
}

/** Errors by name: those that are too large. */
export function tooLarge(errors: Errors, tolerance: number): Errors {
  return errors.filter(([, error]) => !(error < tolerance));
}
