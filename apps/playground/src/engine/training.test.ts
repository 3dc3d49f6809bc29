/** @file A run in the page: its loss falls, and one that was closed and opened again is the one that was not. */
import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import type { PictureDataset } from './dataset.js';
import { Library } from './library.js';
import { type OpenModel, openModelFiles } from './open-model.js';
import type { LossPoint, TrainingEvents, TrainingSamples } from './protocol.js';
import { readRun, readRunState } from './run-files.js';
import { MemoryStore } from './storage.js';
import { tinyFiles } from './testing/model.js';
import { TrainingRun } from './training.js';
import { presetOf } from './training-presets.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 1, fusedMultiplyAdd: false });
});
afterAll(() => backend.dispose());

/** Stripes of one colour or another. */
const dataset: PictureDataset = {
  name: 'stripes',
  skipped: [],
  pictures: Array.from({ length: 6 }, (_, i) => ({
    caption: `${['red', 'green', 'blue'][i % 3]} stripes ${i}`,
    name: `${i}.png`,
    picture: {
      ...{ width: 16, height: 16 },
      data: Float32Array.from({ length: 768 }, (_, at) => {
        return at % 3 === i % 3 || Math.floor(at / 3 / (1 + i)) % 2 ? 0.9 : -0.9;
      }),
    },
  })),
};

/** @param model what a run goes on from */
function begin(store: MemoryStore, steps: number, model?: OpenModel): Promise<TrainingRun> {
  const preset = presetOf(model ? 'on' : 'taste');
  return TrainingRun.begin({ backend, store, preset, dataset, model, plan: { ...preset.plan, steps } });
}

function listener() {
  const heard = { losses: [] as LossPoint[], samples: [] as TrainingSamples[], saves: [] as boolean[] };
  const events: TrainingEvents = {
    progress() {},
    loss: (point) => void heard.losses.push(point),
    samples: (samples) => void heard.samples.push(samples),
    saved: (_, kept) => void heard.saves.push(kept),
  };
  return { heard, events };
}

test('it learns, draws by the way, and leaves a model that draws', async () => {
  const run = await begin(new MemoryStore(), 30);
  const { heard, events } = listener();
  const { state, step } = await run.run(events);
  expect({ state, step }).toEqual({ state: 'finished', step: 30 });
  const mean = (points: LossPoint[], term: 'language' | 'diffusion') =>
    points.reduce((sum, point) => sum + point[term]!, 0) / points.length;
  for (const term of ['language', 'diffusion'] as const) {
    expect(mean(heard.losses.slice(-5), term)).toBeLessThan(0.8 * mean(heard.losses.slice(0, 5), term));
  }
  expect(heard.samples.at(-1)).toMatchObject({ step: 30 });
  expect(heard.samples.at(-1)!.samples.map(({ caption }) => caption)).toEqual(run.captions);
  // In memory alone it is saved, but not kept.
  expect(heard.saves).toEqual([false]);
  const given = { name: 'stripes', origin: 'trained' as const };
  const model = await new Library(new MemoryStore()).add(await run.modelFiles(), given, backend);
  expect(model.info).toMatchObject({ width: 16, canDraw: true, canDescribe: true, canEdit: false });
  const [drawn] = await model.sampler.drawImages({ prompts: [run.captions[0]], steps: 4 });
  expect(drawn.data.every(Number.isFinite)).toBe(true);
  model.dispose();
  await run.dispose();
});

test.each([
  ['from the beginning', undefined],
  ['from a model on', 'pixels'],
  ['from a model of latents on', 'latents'],
])('%s, paused, closed, read again and gone on with: the same losses, bit for bit', async (_, kind) => {
  const about = { name: 'tiny', origin: 'imported' as const, suggestions: [] };
  const files = tinyFiles({ latents: kind === 'latents' });
  const model = kind ? await openModelFiles({ id: '1', files, about, backend }) : undefined;
  const whole = listener();
  const one = await begin(new MemoryStore(), 24, model);
  await one.run(whole.events);
  await one.dispose();

  const store = new MemoryStore();
  const first = listener();
  const begun = await begin(store, 24, model);
  const pauseAt = 9;
  const running = begun.run({
    ...first.events,
    loss: (point) => {
      first.events.loss(point);
      if (point.step === pauseAt) void begun.pause();
    },
  });
  expect(await running).toMatchObject({ state: 'paused', step: pauseAt });
  await begun.dispose();

  expect(await readRunState(store)).toMatchObject({
    step: pauseAt,
    dataset: 'stripes',
    title: model ? 'Go on' : 'A taste',
  });
  const second = listener();
  const resumed = await TrainingRun.resume(await readRun(store), backend, store);
  expect(resumed.info).toMatchObject({ state: 'paused', step: pauseAt, steps: 24, samples: undefined });
  await resumed.run(second.events);
  expect([...first.heard.losses, ...second.heard.losses]).toEqual(whole.heard.losses);
  expect(resumed.info.losses).toEqual(whole.heard.losses);
  // What it drew in the end is kept, too: as bytes.
  const { samples } = await readRun(store);
  expect(samples).toMatchObject({ step: 24 });
  const [{ picture }] = second.heard.samples.at(-1)!.samples;
  picture.data.forEach((value, i) =>
    expect(Math.abs(samples!.samples[0].picture.data[i] - value)).toBeLessThan(1.01 / 255),
  );
  await resumed.dispose();
});

test('it waits while somebody waits for a picture', async () => {
  const run = await begin(new MemoryStore(), 12);
  const { heard, events } = listener();
  let finish = () => {};
  const picture = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let seen = 0;
  const running = run.run({
    ...events,
    loss: (point) => {
      events.loss(point);
      if (point.step !== 4) return;
      run.waitFor(picture);
      setTimeout(() => {
        seen = heard.losses.length;
        finish();
      }, 300);
    },
  });
  expect(await running).toMatchObject({ state: 'finished', step: 12 });
  expect(seen).toBe(4);
  run.waitFor(Promise.reject(new Error('a drawing that failed')));
  await run.dispose();
});

test('a store that is full ends no run', async () => {
  const store = new MemoryStore();
  const run = await begin(store, 4);
  store.write = async () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  const { heard, events } = listener();
  expect(await run.run(events)).toMatchObject({ state: 'finished' });
  expect(heard.saves).toEqual([false]);
  await run.dispose();
});
