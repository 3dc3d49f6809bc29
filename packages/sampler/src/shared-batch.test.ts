import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import type { GenerateOptions, SamplerEvent } from './generate.js';
import type { Sampler } from './sampler.js';
import { testPicture, tinyConfig, tinySampler, variantConfig } from './testing/tiny-model.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
});
afterAll(() => backend.dispose());

const flow = tinyConfig({
  diffusion: { schedule: 'flow', parameterisation: 'flow' },
  sampling: { scheduler: 'euler', steps: 4 },
});
const mask = { width: 4, height: 4, data: new Float32Array(16).fill(1, 0, 7) };

/** Documents that differ in all that they can. */
const documents: GenerateOptions[] = [
  {
    prompt: [{ text: 'a red one' }],
    forceImage: true,
    maxTokens: 3,
    seed: 1,
    image: { steps: 6, guidance: 3 },
    previewEvery: 2,
  },
  { prompt: [], forceImage: true, maxTokens: 0, seed: 2, image: { steps: 3, guidance: 1 } },
  { prompt: [{ text: 'x' }], maxTokens: 9, maxImages: 0, seed: 3, text: { temperature: 1 } },
  {
    prompt: [{ text: 'what is ' }, { image: testPicture(4) }, { text: '?' }],
    maxTokens: 12,
    seed: 4,
    text: { temperature: 0.7, topK: 20 },
  },
  {
    prompt: [{ text: 'another' }],
    forceImage: true,
    maxTokens: 0,
    seed: 5,
    image: { steps: 7, guidance: 5, guidanceRescale: 0.7 },
  },
  {
    prompt: [{ text: 'between' }],
    forceImage: true,
    maxTokens: 2,
    seed: 6,
    image: { steps: 5, guidance: 2, guidanceInterval: [0.2, 0.7] },
  },
  {
    prompt: [{ text: 'painted' }],
    forceImage: true,
    maxTokens: 0,
    seed: 7,
    image: { steps: 4, guidance: 2, from: testPicture(3), mask },
  },
  {
    prompt: [{ text: 'from' }],
    forceImage: true,
    maxTokens: 0,
    seed: 8,
    image: { steps: 4, from: testPicture(2), strength: 0.5 },
  },
  {
    prompt: [{ text: 'not this' }],
    forceImage: true,
    maxTokens: 1,
    seed: 9,
    image: { steps: 4, guidance: 3, negativePrompt: 'a long negative prompt' },
  },
];

async function eventsOf(sampler: Sampler, options: GenerateOptions): Promise<SamplerEvent[]> {
  const events: SamplerEvent[] = [];
  for await (const event of sampler.generate(options)) events.push(event);
  return events;
}

describe.each([
  ['on the cosine schedule', tinyConfig(), { scheduler: 'ddpm' }],
  ['on the flow schedule', flow, { scheduler: 'heun' }],
  ['with two-dimensional positions', variantConfig({ imagePositions: '2d', feedForwards: 'per-modality' }), {}],
] as const)('%s', (_name, config, image) => {
  test('documents give the same alone, one after the other, and all at once', async () => {
    const given = documents.map((each, i) => (i % 2 === 0 ? { ...each, image: { ...each.image, ...image } } : each));
    const alone = tinySampler(backend, config);
    const expected: SamplerEvent[][] = [];
    for (const options of given) expected.push(await eventsOf(alone, options));
    for (const concurrency of [1, 3, 16]) {
      const shared = tinySampler(backend, config, 1, concurrency);
      const together = await Promise.all(given.map((options) => eventsOf(shared, options)));
      expect(together).toEqual(expected);
      shared.dispose();
    }
    // They are not all alike.
    expect(new Set(expected.map((events) => JSON.stringify(events.at(-1)))).size).toBe(given.length);
    alone.dispose();
  });
});

/** How often the model ran. */
async function countRuns(work: (counted: Backend) => Promise<unknown>): Promise<number> {
  let runs = 0;
  const counted: Backend = {
    ...{ name: backend.name, description: backend.description, limits: backend.limits },
    batchInvariant: backend.batchInvariant,
    stats: () => backend.stats(),
    dispose: async () => {},
    createBuffer: (elements) => backend.createBuffer(elements),
    async load(program, states) {
      const executable = await backend.load(program, states);
      const run = executable.run.bind(executable);
      executable.run = (inputs) => {
        runs++;
        return run(inputs);
      };
      return executable;
    },
  };
  await work(counted);
  return runs;
}

const drawing: GenerateOptions = {
  prompt: [{ text: 'x' }],
  forceImage: true,
  maxTokens: 0,
  image: { steps: 10, guidance: 2 },
};

test('eight documents take as many steps as one', async () => {
  const draw = (concurrency: number | undefined, count: number) =>
    countRuns(async (counted) => {
      const sampler = tinySampler(counted, tinyConfig(), 1, concurrency);
      await Promise.all(Array.from({ length: count }, (_, seed) => eventsOf(sampler, { ...drawing, seed })));
      sampler.dispose();
    });
  const [one, eight, apart] = [await draw(8, 1), await draw(8, 8), await draw(undefined, 8)];
  // What is read before is read for each.
  expect(eight).toBeLessThan(one + 8 * 4);
  expect(apart).toBe(8 * one);
});

test('who comes later waits for a place, and may stop waiting', async () => {
  const sampler = tinySampler(backend, tinyConfig(), 1, 1);
  const order: number[] = [];
  const controller = new AbortController();
  const draw = async (seed: number, signal?: AbortSignal) => {
    await eventsOf(sampler, { ...drawing, seed, signal });
    order.push(seed);
  };
  const [first, second, third] = [draw(0), draw(1, controller.signal), draw(2)];
  controller.abort(new Error('enough'));
  await expect(second).rejects.toThrow('enough');
  await Promise.all([first, third]);
  expect(order).toEqual([0, 2]);
  sampler.dispose();
});

test('who leaves early makes room, and changes nothing for the others', async () => {
  const sampler = tinySampler(backend, tinyConfig(), 1, 2);
  const expected = await eventsOf(sampler, drawing);
  const leave = async () => {
    for await (const event of sampler.generate({ ...drawing, seed: 5 })) {
      if (event.type === 'denoise' && event.step === 3) break;
    }
  };
  for (let i = 0; i < 3; i++) {
    const [events] = await Promise.all([eventsOf(sampler, drawing), leave()]);
    expect(events).toEqual(expected);
  }
  sampler.dispose();
});

test('a prompt that is too long, and options that cannot be, fail alone', async () => {
  const sampler = tinySampler(backend, tinyConfig(), 1, 4);
  const expected = await eventsOf(sampler, drawing);
  const long = eventsOf(sampler, { prompt: [{ text: 'x'.repeat(100) }] });
  const [events] = await Promise.all([
    eventsOf(sampler, drawing),
    expect(long).rejects.toThrow('SAMPLER_CONTEXT'),
    expect(eventsOf(sampler, { ...drawing, image: { steps: 0 } })).rejects.toThrow('steps'),
  ]);
  expect(events).toEqual(expected);
  sampler.dispose();
});

test('concurrency is checked', () => {
  expect(() => tinySampler(backend, tinyConfig(), 1, 0)).toThrow('SAMPLER_OPTIONS');
});
