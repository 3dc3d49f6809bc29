import type { Backend, HostArray, Variable } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { compileLosses, compileStep } from './compile-step.js';
import { createStepRunner, type StepResult } from './step-runner.js';
import { readState, stateDifference, valuesOf } from './testing/state.js';
import {
  freshState,
  type SyntheticRun,
  stepNumbers,
  syntheticRun,
  VOCABULARY,
  withSizes,
} from './testing/synthetic-run.js';
import { destroyTrainState } from './train-state.js';
import type { BatchArrays } from './transfusion/batches.js';

/** Of an image. */
const PATCHES = 4;

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
});
afterAll(() => backend.dispose());

/** Losses of `steps` replayed steps, and the state after them. */
async function replay(run: SyntheticRun, steps: number, on = backend) {
  const state = freshState(on, run);
  const step = await compileStep(on, state, run.objective, run.options);
  const losses: number[][] = [];
  for (let i = 0; i < steps; i++) {
    const [batch] = run.batches.step(i);
    const { terms, norm } = await step.run({ batch, ...stepNumbers(run, i + 1) });
    const { language, diffusion } = terms;
    losses.push([language[0], diffusion[0], norm[0]]);
  }
  const contents = await readState(state);
  step.dispose();
  destroyTrainState(state);
  return { losses, contents };
}

test('untrained: the image loss is the variance of the noise, 1, and the text loss near ln V', async () => {
  const run = syntheticRun({ batch: { rows: 16 }, model: { ...syntheticRun().config.model, initializerStd: 0.02 } });
  const state = freshState(backend, run);
  const losses = await compileLosses(backend, run.objective, { parameters: state.parameters });
  let [language, diffusion] = [0, 0];
  const rounds = 12;
  for (let i = 0; i < rounds; i++) {
    const result = await losses.run({ batch: run.batches.step(i)[0] });
    language += result.language[0] / rounds;
    diffusion += result.diffusion[0] / rounds;
  }
  losses.dispose();
  destroyTrainState(state);
  // The mean of n squared normal numbers deviates by sqrt(2 / n).
  const numbers = rounds * 16 * 4 * 48;
  expect(Math.abs(diffusion - 1)).toBeLessThan(4 * Math.sqrt(2 / numbers));
  expect(Math.abs(language - Math.log(VOCABULARY))).toBeLessThan(0.05);
});

test('one batch is learned by heart: text loss to zero, image loss far below 1', async () => {
  // Image first, so that the images tell the captions apart; one batch, so always the same noise.
  const run = syntheticRun({ data: { imageFirstProbability: 1 }, optimizer: { weightDecay: 0 } });
  const state = freshState(backend, run);
  const step = await compileStep(backend, state, run.objective, run.options);
  const [batch] = run.batches.step(0);
  let last = { language: Number.NaN, diffusion: Number.NaN };
  for (let i = 1; i <= 300; i++) {
    const { language, diffusion } = (await step.run({ batch, ...stepNumbers(run, i) })).terms;
    last = { language: language[0], diffusion: diffusion[0] };
  }
  step.dispose();
  destroyTrainState(state);
  expect(last.language).toBeLessThan(0.02);
  expect(last.diffusion).toBeLessThan(0.2);
});

test('30 replayed steps are 30 steps each traced and compiled anew', async () => {
  const run = syntheticRun();
  const replayed = await replay(run, 30);
  let contents: Awaited<ReturnType<typeof readState>> | undefined;
  const losses: number[][] = [];
  for (let i = 0; i < 30; i++) {
    const state = freshState(backend, contents ? { ...run, initial: valuesOf(contents) } : run);
    const step = await compileStep(backend, state, run.objective, run.options);
    const { terms, norm } = await step.run({ batch: run.batches.step(i)[0], ...stepNumbers(run, i + 1) });
    const { language, diffusion } = terms;
    losses.push([language[0], diffusion[0], norm[0]]);
    contents = await readState(state);
    step.dispose();
    destroyTrainState(state);
  }
  expect(losses).toEqual(replayed.losses);
  expect(stateDifference(contents!, replayed.contents)).toEqual({ error: 0, where: 'nowhere' });
  expect(losses[29][0]).toBeLessThan(losses[0][0]);
});

test('results do not depend on the number of threads', async () => {
  const run = syntheticRun();
  const two = await replay(run, 5);
  const one = await openWasm({ threads: 1 });
  try {
    const single = await replay(run, 5, one);
    expect(single.losses).toEqual(two.losses);
    expect(stateDifference(single.contents, two.contents).error).toBe(0);
  } finally {
    await one.dispose();
  }
});

test('200 steps: memory stays flat, and nothing is built after the first', async () => {
  const run = syntheticRun();
  const state = freshState(backend, run);
  const runner = await createStepRunner({ ...run, backend, state });
  await runner.run(1, run.batches.step(0));
  const first = backend.stats();
  for (let step = 2; step <= 200; step++) await runner.run(step, run.batches.step(step - 1));
  expect(backend.stats()).toEqual(first);
  runner.dispose();
  destroyTrainState(state);
  expect(backend.stats().liveBytes).toBeLessThan(first.liveBytes);
});

test('disposing gives everything back', async () => {
  const before = backend.stats();
  for (let i = 0; i < 3; i++) await replay(syntheticRun(), 1);
  const { liveBytes, liveBuffers } = backend.stats();
  expect({ liveBytes, liveBuffers }).toEqual({ liveBytes: before.liveBytes, liveBuffers: before.liveBuffers });
});

describe('gradient accumulation', () => {
  /** Rows first to last of a batch whose images are one to a row. */
  function rowsOf(
    { groups: [group], ...batch }: BatchArrays,
    run: SyntheticRun,
    first: number,
    last: number,
  ): BatchArrays {
    const { rows, sequenceLength } = run.sizes.batch;
    const cut = <Arrays extends Record<string, HostArray | undefined>>(arrays: Arrays, shift: number): Arrays => {
      const parts = Object.entries(arrays).map(([name, array]) => {
        if (!array || ['targetCount', 'imageCount', 'noiseSeed'].includes(name)) return [name, array];
        const part = array.slice((first * array.length) / rows, (last * array.length) / rows);
        if (name === 'patchIndex') return [name, part.map((patch) => (patch < 0 ? patch : patch - first * PATCHES))];
        if (name === 'patchPositions') return [name, part.map((at) => (at < 0 ? at : at - first * shift))];
        return [name, part];
      });
      return Object.fromEntries(parts) as Arrays;
    };
    return { ...cut(batch, sequenceLength), groups: [cut(group, sequenceLength)] };
  }

  test('two halves are one batch of twice the rows', async () => {
    // The target is the clean image and nothing is noised, so that the noise drawn for each half does not matter.
    const whole = syntheticRun({ diffusion: { parameterisation: 'sample' } });
    const noiseless = (batch: BatchArrays) => {
      const [group] = batch.groups;
      const noiseCoefficients = Float32Array.from(group.noiseCoefficients, (_, i) => (i % 2 === 0 ? 1 : 0));
      return { ...batch, groups: [{ ...group, noiseCoefficients }] };
    };
    const halfRun = syntheticRun({ batch: { rows: 2, accumulation: 2 }, diffusion: { parameterisation: 'sample' } });
    const { sequenceLength } = whole.sizes.batch;
    const sizes = { ...halfRun.sizes, batch: { ...halfRun.sizes.batch, sequenceLength } };
    const half = { ...halfRun, ...withSizes(sizes, halfRun.optimisation) };
    const numbersOf = ({ terms, gradientNorm }: StepResult): Record<string, number> => ({ ...terms, gradientNorm });
    const steps = async (run: SyntheticRun, batchesOf: (batch: BatchArrays) => BatchArrays[]) => {
      const state = freshState(backend, run);
      const runner = await createStepRunner({ ...run, backend, state });
      const results = [];
      for (let i = 0; i < 5; i++) results.push(await runner.run(i + 1, batchesOf(noiseless(whole.batches.step(i)[0]))));
      const contents = await readState(state);
      runner.dispose();
      destroyTrainState(state);
      return { results, contents };
    };
    const once = await steps(whole, (batch) => [batch]);
    const twice = await steps(half, (batch) => [rowsOf(batch, whole, 0, 2), rowsOf(batch, whole, 2, 4)]);
    once.results.forEach((result, i) => {
      for (const [key, value] of Object.entries(numbersOf(result))) {
        expect(Math.abs(numbersOf(twice.results[i])[key] / value - 1)).toBeLessThan(1e-4);
      }
    });
    expect(stateDifference(twice.contents, once.contents).error).toBeLessThan(1e-4);
  });
});

test('a step whose loss is no number stops the run and names the step', async () => {
  const run = syntheticRun();
  const state = freshState(backend, run);
  const runner = await createStepRunner({ ...run, backend, state });
  const [batch] = run.batches.step(0);
  const [group] = batch.groups;
  const latents = Float32Array.from(group.latents).fill(Number.NaN, 0, 1);
  await expect(runner.run(17, [{ ...batch, groups: [{ ...group, latents }] }])).rejects.toMatchObject({
    code: 'TRAINING_DIVERGED',
    message: expect.stringMatching(/step 17: \w+ is NaN/),
  });
  runner.dispose();
  destroyTrainState(state);
});

test.each<[string, (variable: Variable) => unknown]>([
  ['too short', (variable) => variable.write(new Float32Array(3))],
  ['of another type', (variable) => variable.write(new Int32Array(VOCABULARY * 32))],
])('a parameter is not overwritten by data that is %s', (_, write) => {
  const state = freshState(backend, syntheticRun());
  expect(() => write(state.parameters.tokenEmbedding)).toThrow('TENSOR_SHAPE_MISMATCH');
  destroyTrainState(state);
});
