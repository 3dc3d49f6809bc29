/** @file Runs of several phases: which objective a step has, what a run costs, and that two players keep out of each other's way. */
import { ParameterSpec, vector } from '@transfusion/nn';
import { type Backend, f32, type Tensor, type Variable } from '@transfusion/tensor';
import { Tokenizer } from '@transfusion/tokenizer';
import { openWasm } from '@transfusion/wasm';
import { autoencoderTask, autoencoderTrainingConfig, openAutoencoderSession, openTransfusionSession } from './index.js';
import { runLearningRateSchema } from './learning-rate.js';
import { type Objective, type Phase, phaseAt } from './objective.js';
import { type Optimisation, stepOptionsOf } from './optimisation.js';
import { planRun } from './plan-step.js';
import { createStepRunner, type StepRunner } from './step-runner.js';
import { createTrainState, destroyTrainState, initialValues, type TrainState } from './train-state.js';
import { transfusionTrainingConfig } from './transfusion/config.js';
import { transfusionTask } from './transfusion/task.js';

type Inputs = { x: ReturnType<typeof f32> };
type Toy = Objective<Inputs, { w: Tensor }, { d: Tensor } | undefined>;

const inputs = { x: f32(3) };

/** Minimises w x. */
const plain: Toy = {
  parameters: { w: vector(3, 2) },
  inputs,
  losses({ parameters: { w } }, { x }) {
    const total = w.mul(x).sum();
    return { total, terms: { plain: total } };
  },
};

/** Minimises w x + w d, while d minimises d w w: each loss has a gradient at both. */
const judged: Toy = {
  ...plain,
  discriminator: { d: vector(3, 5) },
  losses({ parameters: { w }, discriminator }, { x }) {
    const { d } = discriminator!;
    const total = w.mul(x).sum().add(w.mul(d).sum());
    const discriminating = d.mul(w).mul(w).sum();
    return { total, discriminator: discriminating, terms: { judged: total, discriminating } };
  },
};

const phasesOf = (...phases: [number, unknown][]): Phase[] =>
  phases.map(([from, objective]) => ({ from, objective: objective as Objective }));

/** The second player starts with the third step. */
const phases = phasesOf([0, plain], [2, judged]);

test('a step belongs to the last phase that has started', () => {
  const all = phasesOf([0, plain], [5, judged], [9, plain]);
  for (const [step, phase] of [
    [0, 0],
    [4, 0],
    [5, 1],
    [8, 1],
    [9, 2],
    [1e6, 2],
  ]) {
    expect(phaseAt(all, step)).toBe(all[phase]);
  }
});

describe('two players', () => {
  const [BETA1, BETA2, RATE] = [0.9, 0.95, 0.01];
  const x = Float32Array.of(1, -2, 0.5);

  let backend: Backend;
  beforeAll(async () => {
    backend = await openWasm({ threads: 1 });
  });
  afterAll(() => backend.dispose());

  function optimisation(maxGradientNorm = 1e9): Optimisation {
    const rates = runLearningRateSchema({ learningRate: RATE, finalLearningRate: RATE });
    return {
      steps: 10,
      learningRate: rates.parse({ type: 'constant' }),
      optimizer: { beta1: BETA1, beta2: BETA2, epsilon: 1e-12, weightDecay: 0, maxGradientNorm },
      ema: { decay: 0.5, warmup: false },
    };
  }

  async function withRunner(
    options: { maxGradientNorm?: number; firstStep?: number },
    use: (runner: StepRunner, state: TrainState) => Promise<void>,
  ) {
    const own = optimisation(options.maxGradientNorm);
    const state = createTrainState(backend, phases, { ...stepOptionsOf(own), values: initialValues(phases, 0) });
    const { firstStep } = options;
    const runner = await createStepRunner({ backend, state, phases, optimisation: own, firstStep });
    try {
      await use(runner, state);
    } finally {
      runner.dispose();
      destroyTrainState(state);
    }
  }

  const read = async (tree: unknown, name: 'w' | 'd') => [...(await (tree as Record<string, Variable>)[name].read())];
  /** All that a player has. */
  const playerOf = async ({ parameters, m, v }: { parameters: unknown; m: unknown; v: unknown }, name: 'w' | 'd') => ({
    at: await read(parameters, name),
    m: await read(m, name),
    v: await read(v, name),
  });
  const close = (values: number[]) => values.map((value) => expect.closeTo(value, 5));

  test('the second rests until its phase starts, and then its optimizer counts from there', () =>
    withRunner({}, async (runner, state) => {
      for (const step of [1, 2]) {
        const { terms } = await runner.run(step, [{ x }]);
        expect(Object.keys(terms)).toEqual(['plain']);
      }
      expect(await playerOf(state.discriminator!, 'd')).toEqual({ at: [5, 5, 5], m: [0, 0, 0], v: [0, 0, 0] });
      const { terms, gradientNorm } = await runner.run(3, [{ x }]);
      expect(Object.keys(terms).sort()).toEqual(['discriminating', 'judged']);
      // Of the first player alone: of x + d.
      expect(gradientNorm).toBeCloseTo(Math.hypot(6, 3, 5.5), 4);
      // The first step of Adam goes as far as the rate, against the sign of the gradient w^2; its third would go 0.62 of it.
      expect((await playerOf(state.discriminator!, 'd')).at).toEqual(close([5 - RATE, 5 - RATE, 5 - RATE]));
    }));

  test("each one's gradient is of its own loss alone", () =>
    withRunner({ firstStep: 2 }, async (runner, state) => {
      await runner.run(3, [{ x }]);
      const first = await playerOf(state, 'w');
      const second = await playerOf(state.discriminator!, 'd');
      // Of w x + w d by w, at d = 5; d w w would add 2 d w = 20.
      expect(first.m).toEqual(close([6, 3, 5.5].map((slope) => (1 - BETA1) * slope)));
      expect(first.v).toEqual(close([6, 3, 5.5].map((slope) => (1 - BETA2) * slope ** 2)));
      // Of d w w by d, at w = 2; w d would add w = 2.
      expect(second.m).toEqual(close([4, 4, 4].map((slope) => (1 - BETA1) * slope)));
      expect(second.v).toEqual(close([4, 4, 4].map((slope) => (1 - BETA2) * slope ** 2)));
    }));

  test("each one's gradient is clipped by its own norm", () =>
    withRunner({ firstStep: 2, maxGradientNorm: 7 }, async (runner, state) => {
      await runner.run(3, [{ x }]);
      const norm = Math.hypot(6, 3, 5.5);
      expect(norm).toBeGreaterThan(7);
      const clipped = [6, 3, 5.5].map((slope) => ((1 - BETA1) * slope * 7) / norm);
      expect((await playerOf(state, 'w')).m).toEqual(close(clipped));
      // The norm of its gradient is 6.9.
      expect((await playerOf(state.discriminator!, 'd')).m).toEqual(close([4, 4, 4].map((slope) => 0.1 * slope)));
    }));
});

describe('the plan of a run', () => {
  const options = stepOptionsOf({
    steps: 1,
    learningRate: runLearningRateSchema({ learningRate: 1, finalLearningRate: 1 }).parse({}),
    optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, maxGradientNorm: 1 },
    ema: { decay: 0.9, warmup: false },
  });
  /** So many products of 4 x 4 matrices and as many for the gradient, each of 2 * 4^3 operations. */
  const withProducts = (count: number) => ({
    parameters: { w: new ParameterSpec([4, 4], { kind: 'constant', value: 0 }, true) },
    inputs: { x: f32(4, 4) },
    losses({ parameters: { w } }: { parameters: { w: Tensor } }, { x }: { x: Tensor }) {
      const products = Array.from({ length: count }, (_, i) => x.sub(i).matmul(w).square().sum());
      const total = products.reduce((sum, each) => sum.add(each));
      return { total, terms: { total } };
    },
  });
  const PRODUCT = 2 * 4 ** 3;
  const broken = {
    ...withProducts(1),
    losses() {
      throw new Error('it does not compile');
    },
  };

  test('every step counts as its phase has it, and the last phase that is reached is the one shown', async () => {
    const [first, second] = [1, 3].map((count) => 2 * count * PRODUCT);
    const two = phasesOf([0, withProducts(1)], [2, withProducts(3)]);
    const flopsIn = async (steps: number) => {
      const { step, totalFlops } = await planRun(two, options, steps);
      return [step.flops, totalFlops];
    };
    expect(await flopsIn(1)).toEqual([first, first]);
    expect(await flopsIn(2)).toEqual([first, 2 * first]);
    expect(await flopsIn(3)).toEqual([second, 2 * first + second]);
    expect(await flopsIn(10)).toEqual([second, 2 * first + 8 * second]);
  });

  test("the state is the whole run's: weights, moments and averages, and the second player's but the averages", async () => {
    expect((await planRun(phasesOf([0, plain]), options, 1)).step.stateBytes).toBe(4 * 3 * 4);
    for (const steps of [1, 10])
      expect((await planRun(phases, options, steps)).step.stateBytes).toBe(4 * (3 * 4 + 3 * 3));
  });

  test('a phase that does not compile is found before the run, unless the run ends before it', async () => {
    const late = phasesOf([0, withProducts(1)], [5, broken]);
    await expect(planRun(late, options, 6)).rejects.toThrow('it does not compile');
    expect((await planRun(late, options, 5)).totalFlops).toBe(5 * 2 * PRODUCT);
  });
});

describe('the terms that a step says something of', () => {
  const size = { width: 8, height: 8 };
  const picture = (i: number) => ({
    ...{ ...size, caption: 'a', name: `${i}`, group: `${i}` },
    pixels: new Uint8Array(8 * 8 * 3).fill(20 * i),
  });
  const pictures = [0, 1, 2, 3].map(picture);
  let backend: Backend;
  beforeAll(async () => {
    backend = await openWasm({ threads: 1 });
  });
  afterAll(() => backend.dispose());

  test.each([
    ['pictures', { images: pictures }, { language: 2, diffusion: 3 }],
    ['texts', { texts: [{ text: 'aaaa', name: 't', group: 't' }] }, { language: 2 }],
  ])('of %s', async (_, data, wanted) => {
    const tokenizer = new Tokenizer({ model: { type: 'BPE', vocab: { a: 0 }, merges: [] } });
    const model = { preset: 'nano', layers: 1, channels: 8, heads: 2, feedForward: 8, timestepDimensions: 8 } as const;
    const config = transfusionTrainingConfig({ model, batch: { rows: 2 }, data: { heldOutFraction: 0 } });
    const task = transfusionTask({ config, ...data, imageSize: 8, tokenizer });
    const session = await openTransfusionSession({ task, backend });
    expect(session.termsOf({ language: 2, diffusion: 3 }, await session.batches(0))).toEqual(wanted);
    session.dispose();
  });

  test('of an autoencoder, all', async () => {
    const config = autoencoderTrainingConfig({
      autoencoder: { overrides: { block_out_channels: [4, 8], norm_num_groups: 2, latent_channels: 2 } },
      batchSize: 2,
      loss: { adversarial: 0 },
    });
    const task = autoencoderTask({ config, size });
    const session = await openAutoencoderSession({ task, backend, images: { train: pictures, heldOut: [] } });
    const { terms } = await session.runner.run(1, await session.batches(0));
    expect(Object.keys(terms).sort()).toEqual(['kl', 'l1']);
    expect(session.termsOf(terms, await session.batches(0))).toEqual(terms);
    session.dispose();
  });

  test('an autoencoder refuses pictures of as many pixels and another shape', async () => {
    const config = autoencoderTrainingConfig({ loss: { adversarial: 0 } });
    const task = autoencoderTask({ config, size });
    const turned = { ...pictures[1], width: 4, height: 16 };
    const images = { train: [pictures[0], turned], heldOut: [] };
    await expect(openAutoencoderSession({ task, backend, images })).rejects.toThrow(/DATA_IMAGE_SIZE: .* 1 is 4 x 16/);
  });
});
