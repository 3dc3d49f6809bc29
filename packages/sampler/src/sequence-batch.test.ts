import type { Document, ImagePart } from '@transfusion/data';
import { type Backend, OutOfMemoryError } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { imageLayout } from './config.js';
import { SequenceBatch } from './sequence-batch.js';
import { greatestDifference, wholeSequence } from './testing/reference-forward.js';
import { byteTokenizer, testImage, tinyConfig, tinyParameters } from './testing/tiny-model.js';

const config = tinyConfig();
const layout = imageLayout(config);
const { latent } = layout;
const { bos, boi, eoi, eos } = byteTokenizer().special;
const ids = (text: string) => byteTokenizer().encode(text);
const image = (seed: number): ImagePart => ({ kind: 'image', ...latent, latents: testImage(seed) });
const TOLERANCE = 1e-4;

let backend: Backend;
let parameters: ReturnType<typeof tinyParameters>;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
  parameters = tinyParameters(backend, config);
});
afterAll(() => backend.dispose());

function openBatch(rows: number, capacity = 64, model = { config, parameters }): SequenceBatch {
  const given = { backend, config: model.config.model, parameters: model.parameters };
  return new SequenceBatch({ ...given, rows, capacity });
}

/** Text, an image, text, an image, text. */
const document: Document = {
  parts: [
    { kind: 'text', ids: [bos, ...ids('a red')] },
    image(1),
    { kind: 'text', ids: ids('then blue') },
    image(2),
    { kind: 'text', ids: [...ids('end'), eos] },
  ],
};

describe('decoding with a cache equals one pass over the whole sequence', () => {
  test('logits at every text position, also after images', async () => {
    const whole = await wholeSequence({ backend, config, parameters, document, timesteps: [0, 0] });
    const batch = openBatch(1);
    const logits = new Map<number, Float32Array>();
    const read = async (tokens: number[]) => {
      for (const token of tokens) {
        const result = await batch.appendTokensAlone(0, [token]);
        logits.set(batch.length(0) - 1, result);
      }
    };
    await read([bos, ...ids('a red'), boi]);
    await batch.appendImages(new Map([[0, testImage(1)]]), latent);
    await read([eoi, ...ids('then blue'), boi]);
    await batch.appendImages(new Map([[0, testImage(2)]]), latent);
    await read([eoi, ...ids('end'), eos]);
    expect(batch.length(0)).toBe(whole.logits.length);
    expect(logits.size).toBe(whole.logits.length - 2 * layout.patches);
    for (const [position, values] of logits) {
      expect(greatestDifference(values, whole.logits[position])).toBeLessThan(TOLERANCE);
    }
    // The comparison is a sharp one: with the images at another timestep, what follows them is different.
    const noisy = await wholeSequence({ backend, config, parameters, document, timesteps: [500, 500] });
    expect(greatestDifference(noisy.logits.at(-1)!, whole.logits.at(-1)!)).toBeGreaterThan(100 * TOLERANCE);
    batch.dispose();
  });

  test('reading many tokens at once equals reading them one by one', async () => {
    const text = ids('thirty tokens, read in one padded call');
    const batch = openBatch(1);
    const at = await batch.appendTokensAlone(0, [bos, ...text]);
    batch.clear();
    let last = await batch.appendTokensAlone(0, [bos]);
    for (const token of text) last = await batch.appendTokensAlone(0, [token]);
    expect(greatestDifference(at, last)).toBeLessThan(TOLERANCE);
    batch.dispose();
  });

  const unet = { kind: 'unet' as const, channels: [4, 8], headDim: 4, groups: 2 };
  test.each([
    ['linear patches', config],
    ['a U-Net', tinyConfig({ model: { ...config.model, patcher: unet } })],
  ])('denoising on the cached prefix equals computing the whole sequence anew in every step: %s', async (_, config) => {
    const parameters = tinyParameters(backend, config);
    const batch = openBatch(2, 64, { config, parameters });
    await batch.appendTokens(
      new Map([
        [0, [bos, ...ids('a longer caption'), boi]],
        [1, [bos, boi]],
      ]),
    );
    for (const [timestep, seed] of [
      [999, 3],
      [500, 4],
      [3, 5],
    ]) {
      const predictions = await batch.predictImages(
        new Map([0, 1].map((row) => [row, testImage(seed + row)])),
        timestep,
        latent,
      );
      for (const [row, caption] of [[...ids('a longer caption')], []].entries()) {
        const whole = await wholeSequence({
          ...{ backend, config, parameters, timesteps: [timestep] },
          document: {
            parts: [{ kind: 'text', ids: [bos, ...caption] }, image(seed + row), { kind: 'text', ids: [eos] }],
          },
        });
        expect(greatestDifference(predictions.get(row)!, whole.predictions[0])).toBeLessThan(TOLERANCE);
      }
    }
    expect(batch.length(0)).toBe(18);
    batch.dispose();
  });

  test('after denoising, text goes on from the clean image: no noisy key is left', async () => {
    const batch = openBatch(1);
    await batch.appendTokensAlone(0, [bos, ...ids('a red'), boi]);
    for (const timestep of [999, 400]) await batch.predictImages(new Map([[0, testImage(9)]]), timestep, latent);
    await batch.appendImages(new Map([[0, testImage(1)]]), latent);
    const logits = await batch.appendTokensAlone(0, [eoi]);
    const whole = await wholeSequence({ backend, config, parameters, document, timesteps: [0, 999] });
    expect(greatestDifference(logits, whole.logits[batch.length(0) - 1])).toBeLessThan(TOLERANCE);
    batch.dispose();
  });
});

describe('rows of a batch', () => {
  test('do not depend on each other, bit for bit', async () => {
    const batch = openBatch(3);
    const run = async (others: string) => {
      batch.clear();
      const logits = await batch.appendTokens(
        new Map([
          [0, [bos, ...ids(others)]],
          [1, [bos, ...ids('mine'), boi]],
          [2, [bos, ...ids(`${others}!`), boi]],
        ]),
      );
      const images = await batch.predictImages(
        new Map([1, 2].map((row) => [row, testImage(row + others.length)])),
        700,
        latent,
      );
      return [logits.get(1)!, images.get(1)!];
    };
    const [logits, image] = await run('one');
    const [sameLogits] = await run('other');
    expect(sameLogits).toEqual(logits);
    batch.clear();
    await batch.appendTokens(new Map([[1, [bos, ...ids('mine'), boi]]]));
    const alone = await batch.predictImages(new Map([[1, testImage(1 + 3)]]), 700, latent);
    expect(alone.get(1)).toEqual(image);
    batch.dispose();
  });

  test('a row served alone reads and writes its own part of the cache', async () => {
    const batch = openBatch(3);
    const together = await batch.appendTokens(new Map([0, 1, 2].map((row) => [row, [bos, ...ids(`row ${row}`)]])));
    const next = await batch.appendTokens(new Map([0, 1, 2].map((row) => [row, [65]])));
    batch.clear();
    for (const row of [2, 0, 1]) {
      const alone = await batch.appendTokensAlone(row, [bos, ...ids(`row ${row}`)]);
      expect(greatestDifference(alone, together.get(row)!)).toBeLessThan(TOLERANCE);
    }
    for (const row of [1, 2, 0]) {
      const alone = await batch.appendTokensAlone(row, [65]);
      expect(greatestDifference(alone, next.get(row)!)).toBeLessThan(TOLERANCE);
    }
    batch.dispose();
  });

  test('say when they are full, before anything runs', async () => {
    const batch = openBatch(1, 8);
    await batch.appendTokensAlone(0, [bos, ...ids('full')]);
    await expect(batch.appendTokensAlone(0, ids('more'))).rejects.toThrow(
      /SAMPLER_CONTEXT_FULL.*sequence 0 would have 9 positions, there is room for 8/,
    );
    await expect(batch.predictImages(new Map([[0, testImage(1)]]), 0, latent)).rejects.toThrow(/SAMPLER_CONTEXT_FULL/);
    expect(batch.length(0)).toBe(5);
    batch.dispose();
  });
});

test('a prompt of several pieces is read like one of a single piece', async () => {
  const long = tinyConfig({ model: { ...config.model, maxPositions: 600 } });
  const batch = new SequenceBatch({
    ...{ backend, parameters, config: long.model, rows: 1, capacity: 600 },
  });
  const tokens = Array.from({ length: 300 }, (_, i) => (i * 37) % 256);
  const logits = await batch.appendTokensAlone(0, tokens);
  batch.clear();
  await batch.appendTokensAlone(0, tokens.slice(0, 200));
  const again = await batch.appendTokensAlone(0, tokens.slice(200));
  expect(batch.length(0)).toBe(300);
  expect(greatestDifference(logits, again)).toBeLessThan(TOLERANCE);
  batch.dispose();
});

test('nothing is left on the device after dispose', async () => {
  const before = backend.stats();
  const batch = openBatch(2);
  await batch.appendTokens(new Map([[0, [bos, boi]]]));
  await batch.appendImages(new Map([[0, testImage(1)]]), latent);
  expect(backend.stats().liveBytes).toBeGreaterThan(before.liveBytes);
  batch.dispose();
  await new Promise((resolve) => setImmediate(resolve));
  expect(backend.stats().liveBuffers).toBe(before.liveBuffers);
});

test('a function that could not be compiled is compiled by the next call', async () => {
  let failures = 2;
  const load: Backend['load'] = async (program, states) => {
    if (failures-- > 0) throw new OutOfMemoryError({ message: 'no room now' });
    return backend.load(program, states);
  };
  const scarce: Backend = {
    name: backend.name,
    description: backend.description,
    limits: backend.limits,
    createBuffer: (elements) => backend.createBuffer(elements),
    load,
    stats: () => backend.stats(),
    dispose: () => backend.dispose(),
  };
  const batch = new SequenceBatch({
    ...{ backend: scarce, parameters, config: config.model, rows: 1, capacity: 32 },
  });
  await expect(batch.appendTokensAlone(0, [bos, boi])).rejects.toThrow(/no room now/);
  await expect(batch.predictImages(new Map([[0, testImage(1)]]), 0, latent)).rejects.toThrow(/no room now/);
  await batch.appendTokensAlone(0, [bos, boi]);
  const prediction = await batch.predictImages(new Map([[0, testImage(1)]]), 0, latent);
  expect(prediction.get(0)).toHaveLength(testImage(1).length);
  batch.dispose();
});
