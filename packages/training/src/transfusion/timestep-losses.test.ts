/** @file Losses by timestep: those of a prediction that is known, computed anew in f64, for every kind of prediction. */
import { RandomPurpose, type SourceDocument } from '@transfusion/data';
import { type Backend, PhiloxStream } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { byteTokenizer } from '../../../tokenizer/src/testing/byte-tokenizer.js';
import { type TransfusionTrainingInput, transfusionTrainingConfig } from './config.js';
import { openTransfusionSession, type TransfusionSession } from './session.js';
import { transfusionTask } from './task.js';
import { lossByTimestep, type TimestepLoss } from './timestep-losses.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
});
afterAll(() => backend.dispose());

const random = new PhiloxStream(8);
const picture = (width: number, height: number) => ({
  kind: 'image' as const,
  ...{ width, height },
  pixels: Uint8Array.from({ length: width * height * 3 }, () => random.integer(256)),
});
/** Six pictures with captions, of two sizes; a third is held out. */
const images = Array.from({ length: 6 }, (_, i) => {
  const { kind, ...size } = picture(8, i % 2 === 0 ? 8 : 16);
  return { ...size, caption: `picture ${i}`, name: `${i}`, group: `${i}` };
});

/** What every patch is predicted to be, whatever it is: 4 x 4 x 3 numbers. */
const SAID = Float32Array.from({ length: 48 }, () => 0.5 * random.normal());

async function open(
  changes: Partial<TransfusionTrainingInput>,
  given: { documents?: SourceDocument[]; says?: Float32Array } = {},
): Promise<TransfusionSession> {
  const { documents, says = SAID } = given;
  const config = transfusionTrainingConfig({
    model: { preset: 'nano', layers: 1, channels: 16, heads: 2, feedForward: 16 },
    data: { heldOutFraction: documents ? 0 : 1 / 3 },
    ...{ batch: { rows: 2 }, patchSize: 4, ...changes },
  });
  const task = transfusionTask({ config, images: documents ? [] : images, documents, tokenizer: byteTokenizer() });
  const session = await openTransfusionSession({ task, backend });
  // The prediction is the bias of the last layer, whose weight starts at zero, and only in the averages.
  session.state.ema.patchOut!.bias.write(says);
  return session;
}

/** x0 and the noise of every image of a split that has the captioned pictures alone, in f64. */
function drawn({ examples }: TransfusionSession, split: 'train' | 'heldOut', seed: number) {
  return examples[split].map(({ variants: [{ mean }] }, number) => {
    const stream = new PhiloxStream(seed, RandomPurpose.evaluation, number, 0);
    stream.uniform();
    return { x0: [...mean], noise: Array.from(mean, () => stream.normal()) };
  });
}

/** The bias of element i of an image of 8 columns, in patches of 4 x 4 x 3. */
const said = (i: number) => {
  const [channel, column, row] = [i % 3, Math.floor(i / 3) % 8, Math.floor(i / 24)];
  return SAID[((row % 4) * 4 + (column % 4)) * 3 + channel];
};

type Level = { signal: number; noise: number };
/** By prediction: the target, and the image that follows from a prediction and x_t. Solved by hand. */
const MEANING = {
  epsilon: {
    target: (_x0: number, e: number) => e,
    image: (p: number, x: number, { signal, noise }: Level) => (x - noise * p) / signal,
  },
  sample: { target: (x0: number) => x0, image: (p: number) => p },
  v: {
    target: (x0: number, e: number, { signal, noise }: Level) => signal * e - noise * x0,
    image: (p: number, x: number, { signal, noise }: Level) => signal * x - noise * p,
  },
  flow: {
    target: (x0: number, e: number) => x0 - e,
    image: (p: number, x: number, { signal, noise }: Level) => (x + noise * p) / (signal + noise),
  },
} as const;

function expected(session: TransfusionSession, split: 'train' | 'heldOut', { timestep, signal, noise }: TimestepLoss) {
  const meaning = MEANING[session.diffusionObjective.parameterisation];
  const level = { signal, noise };
  const mean = (list: readonly number[]) => list.reduce((sum, each) => sum + each, 0) / list.length;
  const each = drawn(session, split, 0).map(({ x0, noise: e }) => {
    const errors = x0.map((value, i) => {
      const x = signal * value + noise * e[i];
      return [
        (said(i) - meaning.target(value, e[i], level)) ** 2,
        (meaning.image(said(i), x, level) - value) ** 2,
      ] as const;
    });
    return [mean(errors.map(([error]) => error)), mean(errors.map(([, error]) => error))];
  });
  return { timestep, prediction: mean(each.map(([error]) => error)), image: mean(each.map(([, error]) => error)) };
}

test.each([
  ['epsilon', 'cosine'],
  ['sample', 'cosine'],
  ['v', 'cosine'],
  ['flow', 'cosine'],
  ['flow', 'flow'],
] as const)('%s, %s schedule: the squared errors of both splits', async (parameterisation, schedule) => {
  const session = await open({ diffusion: { parameterisation, schedule } });
  const losses = await lossByTimestep(session, { bins: 5 });
  for (const split of ['heldOut', 'train'] as const) {
    expect(losses[split]!.map(({ timestep }) => timestep)).toEqual([100, 300, 500, 700, 900]);
    for (const loss of losses[split]!) {
      const reference = expected(session, split, loss);
      expect(loss.prediction / reference.prediction).toBeCloseTo(1, 5);
      expect(loss.image / reference.image).toBeCloseTo(1, 5);
      const { signal, noise } = session.diffusionObjective.noiseSchedule.level(loss.timestep);
      expect([loss.signal, loss.noise]).toEqual([signal, noise]);
    }
  }
  expect(losses.heldOut).not.toEqual(losses.train);
  session.dispose();
});

test('models have the same noise whatever the seeds of their runs and their batches are', async () => {
  const [one, other] = [await open({ seed: 1 }), await open({ seed: 2, batch: { rows: 3 } })];
  const [losses, again] = [await lossByTimestep(one, { bins: 2 }), await lossByTimestep(other, { bins: 2 })];
  losses.train!.forEach(({ prediction }, i) => expect(again.train![i].prediction / prediction).toBeCloseTo(1, 5));
  expect(await lossByTimestep(one, { bins: 2 })).toEqual(losses);
  const elsewhere = await lossByTimestep(one, { bins: 2, seed: 7 });
  expect(Math.abs(elsewhere.train![0].prediction / losses.train![0].prediction - 1)).toBeGreaterThan(1e-4);
  one.dispose();
  other.dispose();
});

test('a part of the examples is spread over all of them', async () => {
  const session = await open({});
  const { train } = await lossByTimestep(session, { bins: 1, examples: 2 });
  const [a, , b] = session.examples.train;
  const alone = { ...session, examples: { train: [a, b], heldOut: [] } };
  const of = await lossByTimestep(alone, { bins: 1 });
  expect(train).toEqual(of.train);
  expect(of.heldOut).toBeUndefined();
  session.dispose();
});

test('an image counts up to the noise that it may have, and one that is only looked at never', async () => {
  const documents: SourceDocument[] = [
    { parts: [{ ...picture(8, 8), noiseCap: 300 }, { kind: 'text', text: 'capped' }, picture(8, 16)] },
    {
      parts: [
        { ...picture(8, 8), role: 'context' },
        { kind: 'text', text: 'is looked at' },
      ],
    },
  ].map((document, i) => ({ ...document, name: `${i}`, group: `${i}` }) as SourceDocument);
  const session = await open({}, { documents });
  const at = (timestep: number) => [...session.source.evaluation({ documents: session.documents.train }, { timestep })];
  const shown = (timestep: number) =>
    at(timestep).map(({ arrays, images }) => ({
      images,
      counted: arrays.groups.map(({ mask }) => [...(mask as Float32Array)]),
      timesteps: arrays.groups.map(({ timesteps }) => [...(timesteps as Float32Array)]),
    }));
  const slots = session.sizes.batch.grids.map(({ slots }) => slots);
  expect(slots).toEqual([2, 2]);
  expect(shown(299)).toEqual([
    {
      images: 2,
      counted: [
        [1, 0],
        [1, 0],
      ],
      timesteps: [
        [299, 0],
        [299, 0],
      ],
    },
  ]);
  expect(shown(300)).toEqual([
    {
      images: 1,
      counted: [
        [0, 0],
        [1, 0],
      ],
      timesteps: [
        [299, 0],
        [300, 0],
      ],
    },
  ]);
  const [only] = documents[1].parts;
  expect(only).toMatchObject({ role: 'context' });
  const { train } = await lossByTimestep(
    { ...session, documents: { train: [session.documents.train[1]], heldOut: [] } },
    { bins: 3 },
  );
  expect(train).toBeUndefined();
  session.dispose();
});

test('bins that are no whole number, or more than there are timesteps, are refused', async () => {
  const session = await open({});
  for (const bins of [0, 2.5, 1001]) {
    await expect(lossByTimestep(session, { bins })).rejects.toThrow(
      `CONFIG_BINS: lossByTimestep: bins is ${bins}, expected an integer from 1 to 1000`,
    );
  }
  session.dispose();
});
