/** @file Decoding with a cache equals one pass over the whole sequence, in every variant of the model. */
import type { Document, ImagePart } from '@transfusion/data';
import type { Backend } from '@transfusion/tensor';
import type { ModelConfigInput } from '@transfusion/transformer';
import { openWasm } from '@transfusion/wasm';
import { imageLayout } from './config.js';
import { SequenceBatch } from './sequence-batch.js';
import { greatestDifference, wholeSequence } from './testing/reference-forward.js';
import { byteTokenizer, testImage, tinyParameters, variantConfig } from './testing/tiny-model.js';

const { bos, boi, eoi, eos } = byteTokenizer().special;
const ids = (text: string) => byteTokenizer().encode(text);
const TOLERANCE = 1e-4;

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
});
afterAll(() => backend.dispose());

const variants: [string, Partial<ModelConfigInput>][] = [
  ['causal images', { imageAttention: 'causal' }],
  ['2-D positions', { imagePositions: '2d' }],
  ['coordinates of patches', { patchCoordinates: 'sinusoidal' }],
  ['a feed-forward for each modality', { feedForwards: 'per-modality' }],
  ['all of them', { imageAttention: 'causal', imagePositions: '2d', feedForwards: 'per-modality' }],
];

describe.each(variants)('%s', (_, changes) => {
  const config = variantConfig(changes);
  const layout = imageLayout(config);
  const { latent } = layout;
  const image = (seed: number): ImagePart => ({ kind: 'image', ...layout.latent, latents: testImage(seed) });
  /** Text, two images that follow each other, text. */
  const document: Document = {
    parts: [
      { kind: 'text', ids: [bos, ...ids('a red')] },
      image(1),
      image(2),
      { kind: 'text', ids: [...ids('and more'), eos] },
    ],
  };

  function open(rows: number) {
    const parameters = tinyParameters(backend, config);
    const sizes = { rows, capacity: 64 };
    return { batch: new SequenceBatch({ backend, config: config.model, parameters, ...sizes }), parameters };
  }

  test('what is truncated leaves no trace, behind an image too', async () => {
    const { batch } = open(1);
    const after = [eoi, ...ids('xy')];
    const readOn = async () => {
      await batch.appendTokensAlone(0, [bos, boi]);
      await batch.appendImages(new Map([[0, testImage(1)]]), latent);
      return batch.appendTokensAlone(0, after);
    };
    const expected = await readOn();
    batch.truncate(0, batch.length(0) - after.length);
    await batch.appendTokensAlone(0, ids('another text'));
    batch.truncate(0, 2 + layout.patches);
    expect(batch.length(0)).toBe(2 + layout.patches);
    // Longer than it is: as it is.
    batch.truncate(0, 60);
    expect(greatestDifference(await batch.appendTokensAlone(0, after), expected)).toBeLessThan(1e-6);
  });

  test('logits at every text position, after both images too, whatever stood there while they were denoised', async () => {
    const { batch, parameters } = open(1);
    const whole = await wholeSequence({ backend, config, parameters, document, timesteps: [0, 0] });
    const logits = new Map<number, Float32Array>();
    const read = async (tokens: number[]) => {
      for (const token of tokens) {
        const result = await batch.appendTokensAlone(0, [token]);
        logits.set(batch.length(0) - 1, result);
      }
    };
    const draw = async (seed: number) => {
      for (const timestep of [999, 400])
        await batch.predictImages(new Map([[0, testImage(seed + 7)]]), timestep, latent);
      await batch.appendImages(new Map([[0, testImage(seed)]]), latent);
    };
    await read([bos, ...ids('a red'), boi]);
    await draw(1);
    await read([eoi, boi]);
    await draw(2);
    await read([eoi, ...ids('and more'), eos]);
    expect(batch.length(0)).toBe(whole.logits.length);
    expect(logits.size).toBe(whole.logits.length - 2 * layout.patches);
    for (const [position, values] of logits) {
      expect(greatestDifference(values, whole.logits[position])).toBeLessThan(TOLERANCE);
    }
    // A sharp comparison: another image, or another variant, gives something else.
    const parts = document.parts.map((part) => (part.kind === 'image' ? image(3) : part));
    const other = await wholeSequence({ backend, config, parameters, document: { parts }, timesteps: [0, 0] });
    expect(greatestDifference(other.logits.at(-1)!, whole.logits.at(-1)!)).toBeGreaterThan(10 * TOLERANCE);
    batch.clear();
    const again = await batch.appendTokensAlone(0, [bos, ...ids('a red'), boi]);
    expect(greatestDifference(again, whole.logits[6])).toBeLessThan(TOLERANCE);
    batch.dispose();
  });

  test('predictions of images behind texts of different lengths, and behind another image', async () => {
    const { batch, parameters } = open(2);
    const captions = [ids('a longer caption'), ids('x')];
    await batch.appendTokens(new Map(captions.map((caption, row) => [row, [bos, ...caption, boi]])));
    await batch.appendImages(new Map([[1, testImage(4)]]), latent);
    await batch.appendTokens(new Map([[1, [eoi, boi]]]));
    const drawn = new Map([0, 1].map((row) => [row, testImage(5 + row)]));
    const predictions = await batch.predictImages(drawn, 700, latent);
    for (const [row, caption] of captions.entries()) {
      const before = row === 1 ? [image(4)] : [];
      const whole = await wholeSequence({
        ...{ backend, config, parameters, timesteps: [...before.map(() => 0), 700] },
        document: { parts: [{ kind: 'text', ids: [bos, ...caption] }, ...before, image(5 + row)] },
      });
      expect(greatestDifference(predictions.get(row)!, whole.predictions.at(-1)!)).toBeLessThan(TOLERANCE);
    }
    batch.dispose();
  });
});
