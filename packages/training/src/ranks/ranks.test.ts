/** @file Ranks that share a run: the same losses and the same checkpoint as one process, in every bit. */
import { createLocalGroup } from '@transfusion/distributed';
import { type Backend, flattenTree, isVariable, PhiloxStream, type Variable } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { byteTokenizer } from '../../../tokenizer/src/testing/byte-tokenizer.js';
import { train } from '../loop.js';
import type { ResumePoint } from '../session.js';
import { type TransfusionTrainingInput, transfusionTrainingConfig } from '../transfusion/config.js';
import { openTransfusionSession } from '../transfusion/session.js';
import { transfusionTask } from '../transfusion/task.js';

const random = new PhiloxStream(11);
const images = ['red', 'blue', 'a green square', 'grey', 'pink', 'white'].map((caption) => ({
  ...{ caption, name: caption, group: caption, width: 8, height: 8 },
  pixels: Uint8Array.from({ length: 8 * 8 * 3 }, () => random.integer(256)),
}));
const texts = ['one', 'two words', 'three words here'].map((text, i) => ({ text, name: `${i}`, group: `${i}` }));
const tokenizer = byteTokenizer();

function task(changes: Partial<TransfusionTrainingInput> = {}) {
  const config = transfusionTrainingConfig({
    model: { preset: 'nano', layers: 2, channels: 32, heads: 2, feedForward: 48 },
    data: { heldOutFraction: 0, textShare: 0.2 },
    batch: { rows: 2, accumulation: 4 },
    ...{ patchSize: 4, steps: 30, seed: 5 },
    learningRate: { type: 'constant', learningRate: 3e-3, warmupSteps: 0 },
    ...changes,
  });
  return transfusionTask({ config, images, texts, tokenizer });
}

/** What is logged and what is saved. */
interface Outcome {
  logged: unknown[];
  saved: Map<string, Float32Array>;
  /** Elements of moments and averages that a rank keeps. */
  kept: number[];
}

let backends: Backend[];
beforeAll(async () => {
  backends = await Promise.all([0, 1, 2, 3].map(() => openWasm({ threads: 1 })));
});
afterAll(() => Promise.all(backends.map((backend) => backend.dispose())));

/** Trains with as many ranks, each on a backend of its own; `undefined`: without ranks. */
async function outcome(
  ranks: number | undefined,
  {
    changes = {},
    until,
    resume,
  }: { changes?: Partial<TransfusionTrainingInput>; until?: number; resume?: ResumePoint } = {},
): Promise<Outcome> {
  const group = ranks === undefined ? [undefined] : createLocalGroup(ranks);
  const result: Outcome = { logged: [], saved: new Map(), kept: [] };
  const count = (tree: unknown) =>
    [...flattenTree<Variable>(tree, isVariable).values()].reduce((sum, { buffer }) => sum + buffer.elements, 0);
  await Promise.all(
    group.map(async (communicator, rank) => {
      const session = await openTransfusionSession({
        task: task(changes),
        backend: backends[rank],
        resume,
        communicator,
      });
      const { m, v, ema } = session.state;
      result.kept[rank] = count(m) + count(v) + count(ema);
      // Only one rank hears of it: all stop, after the same step.
      const stop = new AbortController();
      const isLast = rank === group.length - 1;
      await train({
        ...{ session, logEvery: 1, signal: stop.signal, start: resume && { step: resume.step, trainSeconds: 0 } },
        metrics({ step, language, diffusion, gradientNorm }) {
          if (rank === 0) result.logged.push({ step, language, diffusion, gradientNorm });
        },
        progress: (step) => void (step === until && isLast && stop.abort()),
        async save() {
          await session.ranks?.settle();
          await session.ranks?.gatherAverages();
          const optimizer = await session.optimizerTensors();
          if (rank > 0) return expect(optimizer.size).toBe(0);
          for (const [name, { data }] of optimizer) result.saved.set(name, data);
          for (const [name, { data }] of (await session.modelFiles()).tensors) result.saved.set(`ema.${name}`, data);
        },
      });
      session.dispose();
    }),
  );
  return result;
}

let single: Outcome;
beforeAll(async () => {
  single = await outcome(undefined);
});

test.each([1, 2, 4])('%i ranks: the losses and the checkpoint of one process', async (ranks) => {
  const shared = await outcome(ranks);
  expect(shared.logged).toEqual(single.logged);
  expect([...shared.saved.keys()]).toEqual([...single.saved.keys()]);
  for (const [name, values] of single.saved) expect([name, shared.saved.get(name)]).toEqual([name, values]);
});

test('it has learned, with plain texts and images in some steps', () => {
  const [first, last] = [single.logged[0], single.logged[29]] as { language: number; diffusion: number }[];
  expect(last.language).toBeLessThan(0.8 * first.language);
  expect(last.diffusion).toBeLessThan(first.diffusion);
});

test('every rank keeps its share of moments and averages, and the first all averages', async () => {
  const [whole] = single.kept;
  const { kept } = await outcome(4, { changes: { steps: 1 } });
  const owned = kept.slice(1).map((each) => each / 3);
  // The largest tensor of so small a model is more than a fourth of it.
  for (const each of owned) expect(each).toBeLessThan(0.4 * (whole / 3));
  const first = (kept[0] - whole / 3) / 2;
  expect(first + owned.reduce((sum, each) => sum + each, 0)).toBe(whole / 3);
});

test('a run of two ranks that one of them was told to stop goes on with four, to the same end', async () => {
  const half = await outcome(2, { until: 11 });
  expect(half.logged).toEqual(single.logged.slice(0, 11));
  const rest = await outcome(4, { resume: { step: 11, values: half.saved } });
  expect(rest.logged).toEqual(single.logged.slice(11));
  for (const [name, values] of single.saved) expect([name, rest.saved.get(name)]).toEqual([name, values]);
});

test('where the number of micro-batches is no power of two, ranks still agree', async () => {
  const changes = { steps: 5, batch: { rows: 1, accumulation: 6 } };
  const alone = await outcome(undefined, { changes });
  const two = await outcome(2, { changes });
  expect(two.logged).toEqual(alone.logged);
  const three = await outcome(3, { changes });
  const losses = (each: Outcome) => each.logged.map((line) => (line as { language: number }).language);
  for (const [i, language] of losses(three).entries()) expect(language).toBeCloseTo(losses(alone)[i], 4);
});

describe('DiLoCo', () => {
  const changes = { diloco: { innerSteps: 5, learningRate: 0.7, momentum: 0.6 } };

  test('two ranks that meet after five steps learn as one process that takes all micro-batches', async () => {
    const { logged, saved } = await outcome(2, { changes });
    const losses = logged.map((line) => (line as { language: number }).language);
    const synchronous = single.logged.map((line) => (line as { language: number }).language);
    const last = (all: number[]) => all.slice(-5).reduce((sum, loss) => sum + loss / 5, 0);
    expect(last(losses)).toBeLessThan(1.1 * last(synchronous));
    expect([...saved.keys()].filter((name) => name.startsWith('outer.'))).toHaveLength(
      [...saved.keys()].filter((name) => name.startsWith('ema.')).length,
    );
  });

  test('a run that was stopped goes on with its outer momentum, at the end of a round', async () => {
    const whole = await outcome(1, { changes });
    // Told in the middle of a round.
    const half = await outcome(1, { changes, until: 12 });
    expect(half.logged).toEqual(whole.logged.slice(0, 15));
    const rest = await outcome(1, { changes, resume: { step: 15, values: half.saved } });
    expect(rest.logged).toEqual(whole.logged.slice(15));
    for (const [name, values] of whole.saved) expect([name, rest.saved.get(name)]).toEqual([name, values]);
  });

  test('one process is told that it has nobody to meet', async () => {
    await expect(outcome(undefined, { changes })).rejects.toThrow(/RANKS_NONE.*one process\n.*--ranks 2/);
  });
});

test('with gradients as halves on their way, two ranks learn the same, and agree with each other', async () => {
  const changes = { exchange: 'f16' as const };
  const { logged } = await outcome(2, { changes });
  const losses = (lines: unknown[]) => lines.map((line) => (line as { language: number }).language);
  for (const [i, language] of losses(logged).entries()) {
    expect(Math.abs(language / losses(single.logged)[i] - 1)).toBeLessThan(5e-3);
  }
  expect(logged).not.toEqual(single.logged);
  await expect(outcome(2, { changes: { ...changes, diloco: { innerSteps: 5 } } })).rejects.toThrow(/RANKS_EXCHANGE/);
});

test('what cannot be shared is refused by name', async () => {
  await expect(outcome(3)).rejects.toThrow(
    /RANKS_BATCHES: 3 ranks cannot share 4 micro-batches of a step evenly\n.*batch.accumulation=6/,
  );
});
