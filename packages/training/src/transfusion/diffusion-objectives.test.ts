/** @file Every prediction, loss space and schedule that may be trained: the loss of a batch, and what is drawn for it. */
import { convertPrediction, createNoiseSchedule, type Parameterisation } from '@transfusion/schedulers';
import { type Backend, compile, PhiloxStream, type Variable } from '@transfusion/tensor';
import { forward, predictLatents, type TransfusionParameters } from '@transfusion/transformer';
import { openWasm } from '@transfusion/wasm';
import { createStepRunner, type StepRunner } from '../step-runner.js';
import { examples, freshState, type SyntheticState, syntheticRun } from '../testing/synthetic-run.js';
import { destroyTrainState } from '../train-state.js';
import type { BatchArrays } from './batches.js';
import { type TransfusionTrainingInput, transfusionTrainingConfig } from './config.js';
import { transfusionObjective } from './objective.js';

const predictions: readonly Parameterisation[] = ['epsilon', 'sample', 'v', 'flow'];
const spaces = [null, ...predictions];
const on = {
  cosine: { schedule: 'cosine', scheduler: 'ddim', predictions },
  flow: { schedule: 'flow', scheduler: 'euler', predictions: predictions.filter((each) => each !== 'epsilon') },
} as const;
const cases = Object.values(on).flatMap(({ schedule, predictions }) =>
  predictions.flatMap((predicted) => spaces.map((lossSpace) => ({ schedule, predicted, lossSpace }))),
);

function runOf(
  schedule: keyof typeof on,
  parameterisation: Parameterisation,
  objective: TransfusionTrainingInput['objective'] = {},
) {
  const { scheduler } = on[schedule];
  return syntheticRun({ diffusion: { schedule, parameterisation }, sampling: { scheduler }, objective });
}

let backend: Backend;
let state: SyntheticState;
let runner: StepRunner;
let evaluate: Awaited<ReturnType<typeof compileEvaluation>>;
const base = syntheticRun();

/** The diffusion loss of a batch, and the prediction that it is made of. The graph is the same for all objectives. */
function compileEvaluation() {
  const objective = transfusionObjective({ ...base.sizes, noise: 'given' });
  return compile({
    backend,
    name: 'loss and prediction',
    inputs: { batch: objective.inputs },
    state: state.parameters as TransfusionParameters<Variable>,
    fn: ({ batch }, parameters) => {
      const { terms } = objective.losses({ parameters, discriminator: undefined, constants: undefined }, batch);
      const [group] = batch.groups;
      const [signal, noise] = [0, 1].map((i) => group.noiseCoefficients.slice(1, i, i + 1).reshape([-1, 1, 1, 1]));
      const noised = group.latents.mul(signal).add(group.noise!.mul(noise));
      const images = [{ ...group, latents: noised }];
      const { hidden, groups } = forward(base.sizes.model, parameters, { ...batch, images });
      return {
        outputs: {
          diffusion: terms.diffusion,
          prediction: predictLatents(hidden, groups[0]),
        },
      };
    },
  });
}

beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
  const random = new PhiloxStream(5);
  // The prediction head starts at zero, where no prediction would differ.
  const initial = new Map(base.initial);
  const head = 'parameters.patchOut.weight';
  initial.set(
    head,
    Float32Array.from(initial.get(head)!, () => 0.3 * random.normal()),
  );
  state = freshState(backend, { ...base, initial });
  evaluate = await compileEvaluation();
  runner = await createStepRunner({ ...base, backend, state });
});
afterAll(async () => {
  runner.dispose();
  evaluate.dispose();
  destroyTrainState(state);
  await backend.dispose();
});

/** The mean over images of the mean squared difference of prediction and target, both turned into the loss space, in f64. */
function hostLoss(batch: BatchArrays, prediction: ArrayLike<number>, run: ReturnType<typeof runOf>): number {
  const { diffusion, objective } = run.config;
  const schedule = createNoiseSchedule({ type: diffusion.schedule });
  const [{ latents, noise, mask, timesteps, noiseCoefficients }] = batch.groups;
  const slots = timesteps.length;
  const values = latents.length / slots;
  let [sum, images] = [0, 0];
  for (let slot = 0; slot < slots; slot++) {
    if (mask[slot] === 0) continue;
    images++;
    const [signal, noiseScale, targetSignal, targetNoise] = noiseCoefficients.slice(4 * slot, 4 * slot + 4);
    const of = (at: (i: number) => number) => Float64Array.from({ length: values }, (_, i) => at(slot * values + i));
    const sample = of((i) => signal * latents[i] + noiseScale * noise![i]);
    const inSpace = (values: Float64Array) =>
      convertPrediction({
        ...{ from: diffusion.parameterisation, to: objective.lossSpace ?? diffusion.parameterisation },
        ...{ level: schedule.level(timesteps[slot]), sample, prediction: values },
      });
    const predicted = inSpace(of((i) => prediction[i]));
    const target = inSpace(of((i) => targetSignal * latents[i] + targetNoise * noise![i]));
    sum += predicted.reduce((total, value, i) => total + (value - target[i]) ** 2, 0) / values;
  }
  expect(images).toBe(batch.imageCount[0]);
  return sum / images;
}

test.each(cases)('$predicted on the $schedule schedule, loss space $lossSpace', async (each) => {
  const { schedule, predicted, lossSpace } = each;
  const divides = lossSpace && lossSpace !== predicted && ['epsilon', 'sample'].includes(predicted);
  // Without a floor: what explicit conversions say.
  const run = runOf(schedule, predicted, { lossSpace, ...(divides ? { minDivisor: 0 } : {}) });
  const random = new PhiloxStream(11);
  for (const step of [0, 1]) {
    const [batch] = run.batches.step(step);
    const groups = batch.groups.map((group) => {
      return { ...group, noise: Float32Array.from(group.latents, () => random.normal()) };
    });
    const { diffusion, prediction } = await evaluate.run({ batch: { ...batch, groups } });
    const expected = hostLoss({ ...batch, groups }, prediction, run);
    expect(expected).toBeGreaterThan(0.01);
    expect(Math.abs(diffusion[0] / expected - 1)).toBeLessThan(2e-5);
  }
});

test('a step of each of them trains', async () => {
  for (const [i, { schedule, predicted, lossSpace }] of cases.entries()) {
    const [batch] = runOf(schedule, predicted, { lossSpace }).batches.step(i);
    const { terms, gradientNorm } = await runner.run(i + 1, [batch]);
    expect([terms.language, terms.diffusion, gradientNorm].every(Number.isFinite)).toBe(true);
    expect(terms.diffusion).toBeGreaterThan(0);
  }
});

const JIT = {
  lossSpace: 'flow',
  timesteps: { distribution: 'logit-normal', mean: 0.8, std: 0.8 },
} as const;

describe('JiT', () => {
  const run = runOf('flow', 'sample', JIT);
  const plain = runOf('flow', 'sample');
  const groups = Array.from({ length: 400 }, (_, step) => run.batches.step(step)[0].groups[0]);

  test('an image weighs 1 / max(noise, 0.05)^2', () => {
    for (const { mask, noiseCoefficients } of groups) {
      mask.forEach((weight: number, slot: number) => {
        const noise = noiseCoefficients[4 * slot + 1];
        expect(weight * Math.max(noise, 0.05) ** 2).toBeCloseTo(1, 5);
      });
    }
  });

  test('timesteps are drawn from its distribution, those of image-first documents below their cap', () => {
    const noise = groups.flatMap(({ timesteps }) => [...timesteps].map((timestep) => (timestep + 1) / 1000));
    // (ln(f / (1 - f)) - 0.8) / 0.8 of each fraction f, and the normal probability above it.
    const published = [
      [0.69, 0, 0.5],
      [0.82, 0.8955, 0.1853],
      [0.9, 1.7465, 0.0404],
    ];
    for (const [fraction, z, upper] of published) {
      expect((Math.log(fraction / (1 - fraction)) - 0.8) / 0.8).toBeCloseTo(z, 3);
      // Four fifths of the documents have their caption first; the others end at 0.5.
      const expected = 0.8 * upper;
      const above = noise.filter((value) => value > fraction).length / noise.length;
      expect(Math.abs(above - expected)).toBeLessThan(4 * Math.sqrt(expected / noise.length));
    }
  });

  test('the same documents and the same noise as without it, and the same evaluation', () => {
    const [a, b] = [run, plain].map(({ batches }) => batches.step(3)[0]);
    const { timesteps, mask, noiseCoefficients, ...rest } = a.groups[0];
    expect(b.groups[0]).toMatchObject(rest);
    expect([a.tokens, a.noiseSeed, a.imageCount]).toEqual([b.tokens, b.noiseSeed, b.imageCount]);
    expect([...b.groups[0].mask]).toEqual([1, 1, 1, 1]);
    expect([...timesteps, ...noiseCoefficients, ...mask]).not.toEqual([
      ...b.groups[0].timesteps,
      ...b.groups[0].noiseCoefficients,
      ...b.groups[0].mask,
    ]);
    const [evaluation, same] = [run, plain].map(({ batches }) => [...batches.evaluation({ examples: examples(4) })]);
    expect(evaluation).toEqual(same);
    expect([...evaluation[0].arrays.groups[0].mask]).toEqual([1, 1, 1, 1]);
  });
});

test('by default every image weighs 1, and timesteps are uniform', () => {
  const { objective } = transfusionTrainingConfig();
  expect(objective).toEqual({ lossSpace: null, minSnrGamma: null, timesteps: { distribution: 'uniform', shift: 1 } });
  for (const step of [0, 1, 2]) {
    const [{ mask }] = base.batches.step(step)[0].groups;
    expect([...mask]).toEqual([1, 1, 1, 1]);
  }
});

test('fields that do not go together are refused, with what would', () => {
  const refused = (given: TransfusionTrainingInput) => () => transfusionTrainingConfig(given);
  expect(refused({ objective: { minDivisor: 0.1 } })).toThrow(/objective\.minDivisor: .*set lossSpace/);
  expect(refused({ objective: { lossSpace: 'v', minSnrGamma: 5 } })).toThrow(/objective\.lossSpace: .*minSnrGamma/);
  expect(
    refused({ diffusion: { parameterisation: 'v' }, objective: { lossSpace: 'sample', minDivisor: 0.1 } }),
  ).toThrow(/objective\.minDivisor: a v prediction/);
  expect(refused({ objective: { timesteps: { mean: 0.8 } } })).toThrow(
    /objective\.timesteps\.mean: .*set distribution to logit-normal/,
  );
  expect(refused({ objective: { lossSpaces: 'v' } as never })).toThrow(/did you mean "objective\.lossSpace"/);
  const sample = { diffusion: { parameterisation: 'sample' as const }, objective: JIT };
  expect(refused(sample)).not.toThrow();
});
