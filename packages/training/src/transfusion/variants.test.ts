/** @file Whole runs of the variants of model and context, on documents with images of several sizes; and what is refused. */
import type { SourceDocument } from '@transfusion/data';
import { type Backend, PhiloxStream } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { byteTokenizer } from '../../../tokenizer/src/testing/byte-tokenizer.js';
import { train } from '../loop.js';
import { type TransfusionTrainingInput, transfusionTrainingConfig } from './config.js';
import { evaluateHeldOut } from './held-out.js';
import { openTransfusionSession } from './session.js';
import { transfusionTask } from './task.js';

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
const text = (words: string) => ({ kind: 'text' as const, text: words });
const documents: SourceDocument[] = [
  { parts: [text('a small square'), picture(16, 16)] },
  { parts: [picture(32, 16), text('is wide'), picture(16, 16), text('is not')] },
  { parts: [{ ...picture(16, 16), role: 'context' as const }, text('large'), picture(32, 16)] },
  { parts: [text('no picture')] },
].map((document, i) => ({ ...document, name: `document ${i}`, group: `${i}` }));
const images = [picture(16, 16), picture(32, 16)].map(({ kind, ...size }, i) => {
  return { ...size, caption: `picture ${i}`, name: `${i}`, group: `picture ${i}` };
});
const tokenizer = byteTokenizer();

type Changes = Pick<TransfusionTrainingInput, 'model' | 'data' | 'batch' | 'steps' | 'checkpointActivations'>;
const config = ({ model, data, ...more }: Changes) =>
  transfusionTrainingConfig({
    model: { preset: 'nano', layers: 2, channels: 32, heads: 2, feedForward: 48, ...model },
    data: { heldOutFraction: 0.3, ...data },
    ...{ batch: { rows: 3 }, patchSize: 4, steps: 30, seed: 3, ...more },
    learningRate: { type: 'constant', learningRate: 3e-3, warmupSteps: 0 },
  });
const all = { feedForwards: 'per-modality', imagePositions: '2d', imageAttention: 'causal' } as const;

test.each<[string, Changes]>([
  ['all variants of the model', { model: all }],
  ['clean context', { data: { imageContext: 'clean' } }],
  ['everything, blocks computed again', { model: all, data: { imageContext: 'clean' }, checkpointActivations: true }],
])('%s: a run learns, and what is held out has losses', async (_, changes) => {
  const task = transfusionTask({ config: config(changes), images, documents, tokenizer });
  const session = await openTransfusionSession({ task, backend });
  const logged: Record<string, unknown>[] = [];
  await train({ session, logEvery: 10, metrics: (record) => void logged.push(record) });
  const losses = logged.map(({ language }) => Number(language));
  expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]);
  expect(Number(logged.at(-1)!.diffusion)).toBeLessThan(1.1);
  const { heldOut } = await evaluateHeldOut(session);
  expect(heldOut.language).toBeGreaterThan(0);
  expect(heldOut.diffusion).toBeGreaterThan(0);
  session.dispose();
});

test('computing blocks again gives the same losses, in every bit', async () => {
  const losses = [];
  for (const checkpointActivations of [false, true]) {
    const task = transfusionTask({
      ...{ config: config({ model: all, steps: 3, checkpointActivations }), images, documents, tokenizer },
    });
    const session = await openTransfusionSession({ task, backend });
    const logged: unknown[] = [];
    await train({
      session,
      logEvery: 1,
      metrics: ({ language, diffusion }) => void logged.push([language, diffusion]),
    });
    losses.push(logged);
    session.dispose();
  }
  expect(losses[1]).toEqual(losses[0]);
});

describe('clean context takes its positions and slots', () => {
  const task = (imageContext: 'noised' | 'clean', batch = {}) =>
    transfusionTask({ config: config({ data: { imageContext }, batch: { rows: 2, ...batch } }), documents, tokenizer });

  test('rows are as long as the longest document needs, and no document is left out', async () => {
    // BOS [BOI 32 EOI] "is wide" [BOI 16 EOI] "is not" EOS
    const plain = 1 + 34 + 7 + 18 + 6 + 1;
    expect(task('noised').sizes.batch.sequenceLength).toBe(plain);
    // The noised second image, and the noised first one with BOS BOI.
    const longest = plain + 16 + (32 + 2);
    expect(task('clean').sizes.batch.sequenceLength).toBe(longest);
    // In a document the small one twice, or once to look at; the wide one twice. So many in both rows.
    expect(task('clean').sizes.batch.grids).toEqual([
      { height: 16, width: 16, slots: 4 },
      { height: 16, width: 32, slots: 4 },
    ]);
    const session = await openTransfusionSession({ task: task('clean'), backend });
    for (let step = 0; step < 6; step++) {
      const [{ groups, imageCount }] = (await session.batches(step)) as {
        groups: { mask: Float32Array }[];
        imageCount: number[];
      }[];
      const used = groups.flatMap(({ mask }) => [...mask]).reduce((sum, each) => sum + each, 0);
      expect(imageCount[0]).toBe(used);
    }
    session.dispose();
  });

  test('a row that is too short is refused with what would fit; the model needs no more positions than before', () => {
    expect(() => task('clean', { sequenceLength: 116 })).toThrow(
      /DATA_DOCUMENT_TOO_LONG: document 1 takes 117 positions, batch.sequenceLength allows 116/,
    );
    const positions = { rows: 2, sequenceLength: 117 };
    const fitting = config({ model: { maxPositions: 67 }, data: { imageContext: 'clean' }, batch: positions });
    expect(() => transfusionTask({ config: fitting, documents, tokenizer })).not.toThrow();
    const short = config({ model: { maxPositions: 66 }, data: { imageContext: 'clean' }, batch: positions });
    expect(() => transfusionTask({ config: short, documents, tokenizer })).toThrow(
      /document 1 takes 67 positions, model.maxPositions allows 66/,
    );
  });

  test('pictures with captions too: their captions are cut to what is left', () => {
    const lines: string[] = [];
    const given = { images, tokenizer, log: (line: string) => lines.push(line) };
    // BOS "picture 1" [BOI 32 EOI] EOS, and 32 noised patches: 77 with 9 letters.
    const fits = config({ data: { imageContext: 'clean' }, batch: { sequenceLength: 77 } });
    expect(transfusionTask({ ...given, config: fits }).sizes.batch.sequenceLength).toBe(77);
    expect(lines).toEqual([]);
    const cut = config({ data: { imageContext: 'clean' }, batch: { sequenceLength: 76 } });
    transfusionTask({ ...given, config: cut });
    expect(lines).toEqual([expect.stringMatching(/2 of 2 captions .* 8 tokens .* batch.sequenceLength=77 takes all/)]);
  });
});

describe('what does not go together', () => {
  test('2-D positions without any image', () => {
    const texts = [{ text: 'words', name: 'words', group: 'words' }];
    const given = config({ model: { imagePositions: '2d' } });
    expect(() => transfusionTask({ config: given, texts, tokenizer, imageSize: 16 })).toThrow(
      /CONFIG_IMAGE_POSITIONS: model.imagePositions is 2d, and there is no image/,
    );
  });

  test('2-D positions of heads that do not divide into four', () => {
    const given = config({ model: { imagePositions: '2d', channels: 36, heads: 6 } });
    expect(() => transfusionTask({ config: given, images, tokenizer })).toThrow(/heads: .*must be a multiple of 4/);
  });
});
