/** @file Mixed documents with images of several sizes: one run, whose losses are those of the documents one by one. */
import type { SourceDocument } from '@transfusion/data';
import { type Backend, PhiloxStream } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { byteTokenizer } from '../../../tokenizer/src/testing/byte-tokenizer.js';
import { compileLosses } from '../compile-step.js';
import { documentPictures } from '../latents/document-pictures.js';
import { train } from '../loop.js';
import { initialValues } from '../train-state.js';
import { createBatchSource, type EvaluationBatch } from './batches.js';
import { transfusionTrainingConfig } from './config.js';
import { evaluateHeldOut } from './held-out.js';
import { transfusionObjective } from './objective.js';
import { openTransfusionSession, type TransfusionSession } from './session.js';
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
const text = (words: string, loss?: boolean) => ({ kind: 'text' as const, text: words, loss });

/** Images of 16 x 16, 32 x 16 and 32 x 32, texts before, between and after them, an image that is only looked at. */
const documents: SourceDocument[] = [
  { parts: [text('a small square'), picture(16, 16)] },
  { parts: [picture(32, 16), text('is wide'), picture(16, 16), text('is not')] },
  { parts: [text('large'), picture(32, 32), text('small'), picture(16, 16), text('wide'), picture(32, 16)] },
  { parts: [{ ...picture(16, 16), role: 'context' as const }, text('make it large', false), picture(32, 32)] },
  { parts: [{ ...picture(32, 32), noiseCap: 300 }, text('comes first')] },
  { parts: [text('no picture at all, two texts'), text('in one document')] },
].map((document, i) => ({ ...document, name: `document ${i}`, group: `${i}` }));
const images = [picture(16, 16), picture(32, 16)].map(({ kind, ...size }, i) => {
  return { ...size, caption: `picture ${i}`, name: `${i}`, group: `picture ${i}` };
});

const config = (rows: number, heldOutFraction = 0) =>
  transfusionTrainingConfig({
    model: { preset: 'nano', layers: 2, channels: 32, heads: 2, feedForward: 48, initializerStd: 0.1 },
    data: { heldOutFraction },
    ...{ batch: { rows }, patchSize: 4, steps: 6, seed: 3 },
  });

async function open(rows: number, heldOutFraction?: number): Promise<TransfusionSession> {
  const tokenizer = byteTokenizer();
  const task = transfusionTask({ config: config(rows, heldOutFraction), images, documents, tokenizer });
  const session = await openTransfusionSession({ task, backend });
  // The prediction head starts at zero, where no image would matter.
  const head = session.state.parameters.patchOut!.weight;
  head.write(Float32Array.from(await head.read(), () => 0.1 * random.normal()));
  return session;
}

test('a run learns from all of them', async () => {
  const session = await open(3);
  const { grids } = session.sizes.batch;
  expect(grids.map(({ height, width }) => [height, width])).toEqual([
    [16, 16],
    [16, 32],
    [32, 32],
  ]);
  const logged: Record<string, unknown>[] = [];
  const result = await train({ session, logEvery: 3, metrics: (record) => void logged.push(record) });
  expect(result).toMatchObject({ step: 6, finished: true });
  for (const { language, diffusion } of logged) {
    expect(Number(language)).toBeLessThan(7);
    expect(Number(diffusion)).toBeLessThan(3);
  }
  session.dispose();
});

test('the losses of a batch are those of its documents one by one', async () => {
  const session = await open(4);
  const { documents: all, examples, sizes } = session;
  const objective = transfusionObjective({ ...sizes, noise: 'given' });
  const compiled = await compileLosses(backend, objective, { parameters: session.state.parameters });
  const sums = async (batches: Iterable<EvaluationBatch>, { run }: typeof compiled) => {
    const sum = { language: 0, diffusion: 0, targets: 0, images: 0 };
    for (const { arrays, targets, images: count } of batches) {
      const { language, diffusion } = await run({ batch: arrays });
      sum.language += language[0];
      sum.diffusion += diffusion[0];
      sum.targets += targets;
      sum.images += count;
    }
    return sum;
  };
  const together = session.source.evaluation({ examples: examples.train, documents: all.train });
  expect(together).toHaveLength(2);
  const whole = await sums(together, compiled);

  // Each of them in a batch of one row, with the noise that it has in the others.
  const alone = { rows: 1, sequenceLength: sizes.batch.sequenceLength, grids: sizes.batch.grids };
  const single = transfusionObjective({ ...sizes, batch: alone, noise: 'given' });
  const oneByOne = await compileLosses(backend, single, { parameters: session.state.parameters });
  const source = createBatchSource({
    ...{ config: config(1), model: sizes.model, shape: alone, examples: examples.train, documents: all.train },
    ...{ special: session.tokenizer.special, objective: session.diffusionObjective },
  });
  const batches = source.evaluation({ examples: examples.train, documents: all.train });
  expect(batches).toHaveLength(images.length + documents.length);
  const parts = await sums(batches, oneByOne);
  expect([parts.targets, parts.images]).toEqual([whole.targets, whole.images]);
  // Of the documents: 8 images to denoise, 1 to look at; of the pictures 2.
  expect(whole.images).toBe(10);
  expect(parts.language / whole.language).toBeCloseTo(1, 5);
  expect(parts.diffusion / whole.diffusion).toBeCloseTo(1, 5);
  compiled.dispose();
  oneByOne.dispose();
  session.dispose();
});

test('what is held out has the same losses whatever the batches are, and every example counts once', async () => {
  const losses = [];
  for (const rows of [1, 2, 3, 5]) {
    const session = await open(rows, 0.5);
    // All sessions start from the same weights.
    const values = initialValues(session.phases, 3);
    session.state.ema.patchOut!.weight.write(values.get('parameters.patchOut.weight')!.map((_, i) => Math.sin(i)));
    expect(session.examples.heldOut.length + session.documents.heldOut.length).toBe(4);
    losses.push((await evaluateHeldOut(session)).heldOut);
    session.dispose();
  }
  const [first, ...others] = losses;
  expect(first.language).toBeGreaterThan(1);
  expect(first.diffusion).toBeGreaterThan(0.1);
  for (const other of others) {
    expect(other.language! / first.language!).toBeCloseTo(1, 5);
    expect(other.diffusion! / first.diffusion!).toBeCloseTo(1, 5);
  }
});

test('a document that no row could hold is refused by name', () => {
  const tokenizer = byteTokenizer();
  const short = transfusionTrainingConfig({ ...config(1), batch: { sequenceLength: 100 } });
  expect(() => transfusionTask({ config: short, documents, tokenizer })).toThrow(
    /DATA_DOCUMENT_TOO_LONG: document 2 takes 1\d\d positions, .* allows 100/,
  );
});

test('a row that is too short for its documents is refused, since some would be left out of their batches', () => {
  const tokenizer = byteTokenizer();
  const rows = (sequenceLength: number) =>
    transfusionTrainingConfig({ ...config(1), batch: { rows: 2, imagesPerRow: 2, sequenceLength } });
  const task = (sequenceLength: number) => transfusionTask({ config: rows(sequenceLength), documents, tokenizer });
  const longest = transfusionTask({ config: config(1), documents, tokenizer }).sizes.batch.sequenceLength;
  expect(() => task(2 * longest - 1)).toThrow(/CONFIG_SEQUENCE_LENGTH: batch.sequenceLength is \d+, and 2 documents/);
  expect(task(2 * longest).sizes.batch.sequenceLength).toBe(2 * longest);
});

test('a noise cap beyond the schedule is refused before the first step', () => {
  const tokenizer = byteTokenizer();
  const capped = (noiseCap: number, trainTimesteps: number) =>
    transfusionTask({
      config: { ...config(1), diffusion: transfusionTrainingConfig({ diffusion: { trainTimesteps } }).diffusion },
      documents: [{ parts: [{ ...picture(16, 16), noiseCap }], name: 'capped', group: 'capped' }],
      tokenizer,
    });
  for (const cap of [101, 0, Number.NaN]) {
    expect(() => capped(cap, 100)).toThrow(
      /DATA_TIMESTEP_CAP: capped has an image whose noiseCap is .*, expected 1 to 100/,
    );
  }
  expect(() => capped(100, 100)).not.toThrow();
});

test('documents without an image to denoise have no diffusion loss', async () => {
  const tokenizer = byteTokenizer();
  const looked = { parts: [{ ...picture(16, 16), role: 'context' as const }, text('a square')] };
  const some = [looked, { parts: [text('words')] }, looked, looked].map((document, i) => {
    return { ...document, name: `${i}`, group: `${i}` };
  });
  const task = transfusionTask({ config: config(2, 0.5), documents: some, tokenizer });
  const session = await openTransfusionSession({ task, backend });
  const { heldOut } = await evaluateHeldOut(session);
  expect(heldOut).toEqual({ language: expect.any(Number) });
  session.dispose();
});

test('texts are cut where the model has fewer positions than a row', () => {
  const short = transfusionTrainingConfig({ ...config(2), model: { ...config(2).model, maxPositions: 128 } });
  const texts = [{ text: 'x'.repeat(500), name: 'long', group: 'long' }];
  const task = transfusionTask({
    config: { ...short, batch: { ...short.batch, sequenceLength: 300 } },
    ...{ images, texts, tokenizer: byteTokenizer() },
  });
  const pieces = [...task.texts.train, ...task.texts.heldOut].flat();
  expect(Math.max(...pieces.map(({ length }) => length))).toBe(128);
});

test('latents of fewer pictures than there are examples are refused', async () => {
  const task = transfusionTask({ config: config(2), images, tokenizer: byteTokenizer() });
  const latents = [[{ mean: new Float32Array(16 * 16 * 3) }]];
  await expect(openTransfusionSession({ task, backend, latents })).rejects.toThrow(
    /LATENTS_FOREIGN: .* 1 pictures .* 2/,
  );
});

test('pictures and documents of one group are trained on together, or held out together', async () => {
  const alike = documents.map((document, i) => ({ ...document, group: `picture ${i % 2}` }));
  for (const seed of [1, 2, 3]) {
    const task = transfusionTask({
      config: { ...config(2, 0.5), seed },
      ...{ images, documents: alike, tokenizer: byteTokenizer() },
    });
    const session = await openTransfusionSession({ task, backend });
    const groups = (all: readonly { group: string }[]) => all.map(({ group }) => group);
    const train = new Set(groups([...session.examples.train, ...session.documents.train]));
    const heldOut = groups([...session.examples.heldOut, ...session.documents.heldOut]);
    expect(heldOut).toHaveLength(1 + documents.length / 2);
    for (const group of heldOut) expect(train.has(group)).toBe(false);
    session.dispose();
  }
});

/** A picture to look at, an instruction, and the result, which two documents share. */
const shared = picture(16, 16);
const editDocuments: SourceDocument[] = [shared, picture(16, 16)].map((given, i) => ({
  parts: [{ ...given, role: 'context' as const }, text('make it plain', false), shared],
  ...{ name: `edit ${i}`, group: `${i}` },
}));

test('a picture that several documents have is encoded once; latents may be given', async () => {
  const tokenizer = byteTokenizer();
  const task = transfusionTask({ config: config(2), documents: editDocuments, tokenizer });
  const { pictures, numberOf } = documentPictures(task.documents);
  expect(pictures.map(({ name }) => name)).toEqual(['edit 0', 'edit 1']);
  expect([shared, ...editDocuments[1].parts].flatMap((part) => ('pixels' in part ? [numberOf(part)] : []))).toEqual([
    ...[0, 1, 0],
  ]);
  const done: number[] = [];
  const session = await openTransfusionSession({ task, backend, onProgress: (count) => void done.push(count) });
  expect(done).toEqual([2]);
  const variantsOf = (all: TransfusionSession) =>
    all.documents.train.map(({ parts }) => parts.flatMap((part) => (part.kind === 'image' ? [part.variants] : [])));
  const [first, second] = variantsOf(session);
  expect([first[1], second[1]].every((variants) => variants === first[0])).toBe(true);
  expect(second[0]).not.toEqual(first[0]);
  session.dispose();

  const given = [2, 3].map((value) => [{ mean: new Float32Array(16 * 16 * 3).fill(value) }]);
  const other = await openTransfusionSession({ task, backend, documentLatents: given });
  expect(variantsOf(other).map((all) => all.map(([{ mean }]) => mean[0]))).toEqual([
    [2, 2],
    [3, 2],
  ]);
  other.dispose();
  await expect(openTransfusionSession({ task, backend, documentLatents: given.slice(1) })).rejects.toThrow(
    /LATENTS_FOREIGN: latents of 1 pictures were given, and the task has 2 pictures of documents/,
  );
});

test('a share of the documents loses its texts, as the seed and the step say, and its images never', async () => {
  const tokenizer = byteTokenizer();
  const instruction = tokenizer.encode('make it plain');
  const source = (data: { captionDropout?: number; documentDropout?: number | null }) => {
    const configured = transfusionTrainingConfig({ ...config(4), data: { heldOutFraction: 0, ...data } });
    const task = transfusionTask({ config: configured, documents: editDocuments, tokenizer });
    const latents = documentPictures(task.documents).pictures.map(() => [{ mean: new Float32Array(16 * 16 * 3) }]);
    return openTransfusionSession({ task, backend, documentLatents: latents });
  };
  /** Of each document of some steps, whether its instruction is there. */
  const kept = ({ source: { step }, sizes }: TransfusionSession) =>
    Array.from({ length: 60 }, (_, i) => step(i)[0]).flatMap(({ tokens, groups }) => {
      const { rows, sequenceLength } = sizes.batch;
      expect(Array.from(groups[0].mask).filter((used) => used === 1)).toHaveLength(rows);
      // Two images of each row, whether the words between them are there or not.
      expect(Array.from(groups[0].patchPositions).filter((position) => position >= 0)).toHaveLength(rows * 2 * 16);
      return Array.from({ length: rows }, (_, row) => {
        const ids = [...tokens.slice(row * sequenceLength, (row + 1) * sequenceLength)].filter((id) => id >= 0);
        const { bos, boi, eoi, eos, pad } = tokenizer.special;
        const words = ids.filter((id) => id !== pad);
        const [whole, bare] = [instruction, []].map((between) => [bos, boi, eoi, ...between, boi, eoi, eos]);
        expect([whole, bare]).toContainEqual(words);
        return words.length === whole.length;
      });
    });
  const sessions = [await source({}), await source({ captionDropout: 0.5 }), await source({ documentDropout: 0.5 })];
  const [usual, asCaptions, own] = sessions.map(kept);
  const share = (all: boolean[]) => all.filter((each) => !each).length / all.length;
  // 240 draws: three standard deviations are 0.058 and 0.097.
  expect(Math.abs(share(usual) - 0.1)).toBeLessThan(0.058);
  expect(Math.abs(share(own) - 0.5)).toBeLessThan(0.097);
  expect(own).toEqual(asCaptions);
  expect(kept(sessions[2])).toEqual(own);
  for (const session of sessions) session.dispose();
  const none = await source({ documentDropout: 0 });
  expect(share(kept(none))).toBe(0);
  none.dispose();
});
