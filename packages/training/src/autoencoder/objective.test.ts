/** @file The objectives of autoencoders: the slopes of both players, the adaptive weight, and the uses of codes. */
import { isParameterSpec, type ParameterSpec } from '@transfusion/nn';
import {
  type Backend,
  constant,
  evaluate,
  flattenTree,
  grad,
  isTensor,
  isVariable,
  mapTree,
  PhiloxStream,
  sizeOf,
  type Tensor,
  type Variable,
} from '@transfusion/tensor';
import {
  type AutoencoderConfig,
  autoencoderCodec,
  encodeToVectors,
  exportWeights,
  klConfigSchema,
  openCodec,
  type VqCodec,
  type VqParameters,
  vqConfigSchema,
} from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';
import type { Objective } from '../objective.js';
import { stepOptionsOf } from '../optimisation.js';
import { createStepRunner } from '../step-runner.js';
import {
  createTrainState,
  destroyTrainState,
  initialValues,
  type StateValues,
  type TrainState,
} from '../train-state.js';
import { autoencoderTrainingConfig } from './config.js';
import { type AutoencoderObjective, type AutoencoderObjectiveOptions, autoencoderObjective } from './objective.js';
import { DRAWS, seedOf } from './random.js';

const SIDE = 8;
const IMAGES = 2;
/** Latents are of half the side. */
const POSITIONS = IMAGES * (SIDE / 2) ** 2;
const CODES = 12;

const sizes = { block_out_channels: [4, 8], norm_num_groups: 2, layers_per_block: 1 };
const kl = klConfigSchema.parse({ ...sizes, latent_channels: 2 });
const vq = vqConfigSchema.parse({ ...sizes, num_vq_embeddings: CODES, vq_embed_dim: 2 });
const training = autoencoderTrainingConfig({
  steps: 10,
  loss: { kl: 1e-2, squaredError: 1.5 },
  optimizer: { maxGradientNorm: 1e9 },
  learningRate: { type: 'constant', learningRate: 1e-3 },
});

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
});
afterAll(() => backend.dispose());

const random = new PhiloxStream(5);
const pictures = () => Float32Array.from({ length: IMAGES * SIDE * SIDE * 3 }, () => 2 * random.uniform() - 1);

function objectiveOf(autoencoder: AutoencoderConfig, more: Partial<AutoencoderObjectiveOptions> = {}) {
  const batch = { images: IMAGES, height: SIDE, width: SIDE };
  return autoencoderObjective({ autoencoder, batch, loss: training.loss, ...more });
}

/** Values of a new run, away from zero and from one. */
function startOf(objective: AutoencoderObjective): Map<string, Float32Array> {
  const values = initialValues([{ from: 0, objective: objective as Objective }], 1);
  return new Map([...values].map(([path, data]) => [path, data.map((value) => value + 0.1 * random.normal())]));
}

/** Of a state's values, those of one part, without its name. */
const partOf = (values: StateValues, part: string) =>
  new Map([...values].flatMap(([path, data]) => (path.startsWith(part) ? [[path.slice(part.length), data]] : [])));

describe('with a discriminator, in f64', () => {
  const options = { discriminator: { channels: 4, layers: 1 } };
  const objective = objectiveOf(kl, options);
  const values = startOf(objective);
  const images = pictures();
  const noiseSeed = seedOf(3, 0, DRAWS.latents);
  const batch = {
    images: constant(images, [IMAGES, SIDE, SIDE, 3]),
    noiseSeed: constant(noiseSeed, [4]),
  };
  const symbols = (specs: unknown) =>
    mapTree(specs, isParameterSpec, ({ shape }: ParameterSpec) => constant(new Float32Array(sizeOf(shape)), shape));
  const state = {
    parameters: symbols(objective.parameters),
    discriminator: symbols(objective.discriminator),
    constants: undefined,
  } as Parameters<AutoencoderObjective['losses']>[0];
  const { total, discriminator, terms } = objective.losses(state, batch);
  const plain = objectiveOf(kl).losses({ ...state, discriminator: undefined }, batch);

  const players = {
    model: { leaves: flattenTree<Tensor>(state.parameters, isTensor), at: partOf(values, 'parameters.') },
    judge: {
      leaves: flattenTree<Tensor>(state.discriminator, isTensor),
      at: partOf(values, 'discriminator.parameters.'),
    },
  };
  type Player = keyof typeof players;

  /** What the tensors are where a player's parameters are moved along a direction. */
  function at(outputs: readonly Tensor[], moved?: { player: Player; along: Map<string, Float64Array>; by: number }) {
    const bound = new Map<Tensor, ArrayLike<number>>();
    for (const [name, { leaves, at }] of Object.entries(players)) {
      for (const [path, leaf] of leaves) {
        const own = at.get(path)!;
        const along = moved?.player === name ? moved.along.get(path)! : undefined;
        bound.set(leaf, along ? Float64Array.from(own, (value, i) => value + moved!.by * along[i]) : own);
      }
    }
    return evaluate(outputs, bound);
  }

  const directionOf = (player: Player) =>
    new Map([...players[player].at].map(([path, data]) => [path, Float64Array.from(data, () => random.normal())]));
  const gradientOf = (loss: Tensor, player: Player) => at(grad(loss, [...players[player].leaves.values()]));
  const along = (gradient: readonly ArrayLike<number>[], direction: Map<string, Float64Array>) =>
    [...direction.values()].reduce((sum, part, i) => part.reduce((own, d, j) => own + d * gradient[i][j], sum), 0);
  /** By finite differences. */
  function slopeOf(
    loss: (values: number[]) => number,
    of: Tensor[],
    player: Player,
    direction: Map<string, Float64Array>,
  ) {
    const lossAt = (by: number) => loss(at(of, { player, along: direction, by }).map(([value]) => value));
    const h = 1e-6;
    return (lossAt(h) - lossAt(-h)) / (2 * h);
  }

  const weight = at([terms.adversarialWeight])[0][0];

  test('the judgement adds to the loss with its weight, and to nothing else', () => {
    const [[whole], [without], [generator]] = at([total, plain.total, terms.generator]);
    expect(whole).toBeCloseTo(without + weight * generator, 10);
    for (const name of Object.keys(plain.terms)) expect(at([terms[name]])).toEqual(at([plain.terms[name]]));
  });

  test("the model's gradient is the slope with the weight held still: the weight is a constant to it", () => {
    const gradient = gradientOf(total, 'model');
    for (let i = 0; i < 3; i++) {
      const direction = directionOf('model');
      const of = [plain.total, terms.generator, terms.adversarialWeight];
      const still = slopeOf(([own, generator]) => own + weight * generator, of, 'model', direction);
      const moving = slopeOf(([own, generator, weight]) => own + weight * generator, of, 'model', direction);
      const found = along(gradient, direction);
      expect(Math.abs(found - still)).toBeLessThan(1e-5 * Math.abs(found));
      // Else the test would not see the difference.
      expect(Math.abs(moving - still)).toBeGreaterThan(1e-3 * Math.abs(found));
    }
  });

  test("the judge's gradient is the slope of its own loss", () => {
    const gradient = gradientOf(discriminator!, 'judge');
    for (let i = 0; i < 3; i++) {
      const direction = directionOf('judge');
      const slope = slopeOf(([loss]) => loss, [discriminator!], 'judge', direction);
      expect(Math.abs(along(gradient, direction) - slope)).toBeLessThan(1e-5 * Math.abs(slope));
    }
  });

  test('a step gives each player the gradient of its own loss, though each loss has one at both', async () => {
    const { beta1 } = training.optimizer;
    const own = createTrainState(backend, [{ from: 0, objective: objective as Objective }], {
      accumulation: 1,
      values,
    });
    const runner = await createStepRunner({
      ...{ backend, state: own, optimisation: training },
      phases: [{ from: 0, objective: objective as Objective }],
    });
    await runner.run(1, [{ images, noiseSeed }]);
    const cases = [
      { moments: own.m, wanted: gradientOf(total, 'model'), other: gradientOf(discriminator!, 'model') },
      { moments: own.discriminator!.m, wanted: gradientOf(discriminator!, 'judge'), other: gradientOf(total, 'judge') },
    ];
    for (const { moments, wanted, other } of cases) {
      const found = await Promise.all(
        [...flattenTree<Variable>(moments, isVariable).values()].map((each) => each.read()),
      );
      const gradient = found.map((m) => Float64Array.from(m, (value) => value / (1 - beta1)));
      const length = lengthOf(wanted);
      expect(distance(gradient, wanted)).toBeLessThan(1e-3 * length);
      expect(lengthOf(other)).toBeGreaterThan(1e-2 * length);
    }
    runner.dispose();
    destroyTrainState(own);
  });
});

const lengthOf = (parts: readonly ArrayLike<number>[]) =>
  Math.sqrt(parts.reduce((sum, part) => Array.from(part).reduce((own, value) => own + value ** 2, sum), 0));
const distance = (a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]) =>
  lengthOf(a.map((part, i) => Array.from(part, (value, j) => value - b[i][j])));

describe('uses of codes', () => {
  const revival = { every: 4, threshold: 1, until: 0.8, seed: 1, steps: 10 };
  const objective = objectiveOf(vq, { revival });
  const phases = [{ from: 0, objective: objective as Objective }];
  const codebook = 'quantize.embedding.weight';

  /** A new state, whose codes are spread over the vectors of pictures. */
  function newState(): TrainState {
    return createTrainState(backend, phases, { ...stepOptionsOf(training), values: startOf(objective) });
  }
  const valuesOf = async (tree: unknown) => {
    const values = new Map<string, Float32Array>();
    for (const [path, variable] of flattenTree<Variable>(tree, isVariable)) values.set(path, await variable.read());
    return values;
  };
  const codebookOf = async (tree: unknown) => (await valuesOf(tree)).get(codebook)!;
  const rowsOf = (data: Float32Array) =>
    Array.from({ length: CODES }, (_, code) => [...data.slice(2 * code, 2 * code + 2)]);

  /** How often the autoencoder of these weights uses each code for the pictures, as its codec finds. */
  async function usesIn(state: TrainState, images: Float32Array): Promise<number[]> {
    const weights = exportWeights({ config: vq, values: await valuesOf(state.parameters) });
    const codec = openCodec({ backend, config: autoencoderCodec(vq), weights }) as VqCodec;
    const size = images.length / IMAGES;
    const each = Array.from({ length: IMAGES }, (_, i) => images.slice(i * size, (i + 1) * size));
    const uses = new Array<number>(CODES).fill(0);
    for (const own of await codec.encodeCodes({ width: SIDE, height: SIDE, images: each })) {
      for (const code of own) uses[code]++;
    }
    codec.dispose();
    return uses;
  }

  test('add up over the steps, each with the weights it began with; a revival tells them and starts again', async () => {
    const state = newState();
    const runner = await createStepRunner({ backend, state, phases, optimisation: training });
    const sum = new Array<number>(CODES).fill(0);
    for (let step = 1; step <= 4; step++) {
      const images = pictures();
      (await usesIn(state, images)).forEach((uses, code) => {
        sum[code] += uses;
      });
      const { upkeep } = await runner.run(step, [{ images, noiseSeed: seedOf(0, step, DRAWS.latents) }]);
      const counted = [...(await state.counters!.uses.read())];
      if (step < 4) {
        expect([counted, upkeep]).toEqual([sum, {}]);
        continue;
      }
      expect(counted).toEqual(new Array(CODES).fill(0));
      const entropy = sum.reduce(
        (total, n) => total - (n > 0 ? (n / (4 * POSITIONS)) * Math.log(n / (4 * POSITIONS)) : 0),
        0,
      );
      expect(upkeep).toEqual({
        codebookUse: sum.filter((uses) => uses > 0).length / CODES,
        perplexity: expect.closeTo(Math.exp(entropy), 4),
      });
    }
    runner.dispose();
    destroyTrainState(state);
  });

  /** One call of the upkeep on a state whose counters and moments are set by hand. */
  async function upkeep(
    step: number,
    uses: number[],
    use: (outcome: {
      before: Record<'parameters' | 'ema', number[][]>;
      after: Record<'parameters' | 'm' | 'v' | 'ema', number[][]>;
      others: [Map<string, Float32Array>, Map<string, Float32Array>];
      told: Record<string, number>;
      counted: number[];
      vectors: number[][];
    }) => void,
  ) {
    const state = newState();
    const images = pictures();
    state.counters!.uses.write(Float32Array.from(uses));
    for (const tree of [state.m, state.v]) {
      for (const variable of flattenTree<Variable>(tree, isVariable).values()) {
        variable.write(new Float32Array(sizeOf(variable.shape)).fill(7));
      }
    }
    const start = await valuesOf(state.parameters);
    const before = { parameters: rowsOf(start.get(codebook)!), ema: rowsOf(await codebookOf(state.ema)) };
    const p = mapTree(objective.parameters, isParameterSpec, ({ shape }: ParameterSpec, path) =>
      constant(start.get(path)!, shape),
    );
    const [vectors] = evaluate(
      [encodeToVectors(vq, p as VqParameters, constant(images, [IMAGES, SIDE, SIDE, 3]))],
      new Map(),
    );
    const work = await objective.upkeep!(backend, state);
    const told = await work.run(step, { images, noiseSeed: seedOf(0, step, DRAWS.latents) });
    work.dispose();
    const read = async (part: 'parameters' | 'm' | 'v' | 'ema') => rowsOf(await codebookOf(state[part]));
    use({
      before,
      after: { parameters: await read('parameters'), m: await read('m'), v: await read('v'), ema: await read('ema') },
      others: [start, await valuesOf(state.parameters)],
      told,
      counted: [...(await state.counters!.uses.read())],
      vectors: Array.from({ length: POSITIONS }, (_, i) => [...vectors.slice(2 * i, 2 * i + 2)]),
    });
    destroyTrainState(state);
  }

  const uses = Array.from({ length: CODES }, (_, code) => (code % 3 === 0 ? 0 : code));
  const isDead = (code: number) => code % 3 === 0;

  test('codes without use move to where vectors of the batch are, and begin anew there; nothing else changes', () =>
    upkeep(4, uses, ({ before, after, others: [start, end], told, counted, vectors }) => {
      for (let code = 0; code < CODES; code++) {
        if (isDead(code)) {
          const nearest = Math.min(...vectors.map((vector) => distance([vector], [after.parameters[code]])));
          expect(nearest).toBeLessThan(1e-4);
          expect(distance([after.parameters[code]], [before.parameters[code]])).toBeGreaterThan(1e-3);
          expect([after.ema[code], after.m[code], after.v[code]]).toEqual([after.parameters[code], [0, 0], [0, 0]]);
        } else {
          expect([after.parameters[code], after.ema[code]]).toEqual([before.parameters[code], before.ema[code]]);
          expect([after.m[code], after.v[code]]).toEqual([
            [7, 7],
            [7, 7],
          ]);
        }
      }
      for (const [path, data] of start) if (path !== codebook) expect([path, end.get(path)]).toEqual([path, data]);
      expect(told.codebookUse).toBeCloseTo(2 / 3, 6);
      expect(counted).toEqual(new Array(CODES).fill(0));
    }));

  test('late in the run uses are told and counted anew, but no code moves', () =>
    upkeep(12, uses, ({ before, after, told, counted }) => {
      expect(after).toMatchObject(before);
      expect(after.m.flat()).toEqual(new Array(2 * CODES).fill(7));
      expect(told.codebookUse).toBeCloseTo(2 / 3, 6);
      expect(counted).toEqual(new Array(CODES).fill(0));
    }));

  test('between revivals nothing happens', () =>
    upkeep(5, uses, ({ before, after, told, counted }) => {
      expect(after).toMatchObject(before);
      expect([told, counted]).toEqual([{}, uses]);
    }));

  test('there is no upkeep where revival is off, and none of continuous latents', () => {
    expect(objectiveOf(vq, { revival: { ...revival, every: 0 } }).upkeep).toBeUndefined();
    expect(objectiveOf(vq).upkeep).toBeUndefined();
    expect(objectiveOf(kl, { revival }).upkeep).toBeUndefined();
    expect([objectiveOf(kl).counters, objectiveOf(vq).counters]).toEqual([undefined, { uses: expect.anything() }]);
  });
});
