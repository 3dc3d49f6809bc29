/** @file Likelihoods of texts: those of whole sequences, one at a time, summed in f64 over the tokens that they are of. */
import { captionDocument, type Document } from '@transfusion/data';
import { type Backend, PhiloxStream } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { wholeSequence } from '../../../sampler/src/testing/reference-forward.js';
import { byteTokenizer } from '../../../tokenizer/src/testing/byte-tokenizer.js';
import { transfusionTrainingConfig } from './config.js';
import { openTransfusionSession, type TransfusionSession } from './session.js';
import { transfusionTask } from './task.js';
import { textLikelihoods } from './text-likelihood.js';
import { textsOfRows } from './text-rows.js';

let backend: Backend;
let session: TransfusionSession;
const tokenizer = byteTokenizer();
const { bos, eos, boi } = tokenizer.special;

beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
  const random = new PhiloxStream(8);
  const images = Array.from({ length: 5 }, (_, i) => {
    const pixels = Uint8Array.from({ length: 8 * 8 * 3 }, () => random.integer(256));
    return { width: 8, height: 8, pixels, caption: `picture ${'no '.repeat(i)}${i}`, name: `${i}`, group: `${i}` };
  });
  const texts = Array.from({ length: 9 }, (_, i) => {
    return { text: `a text that is ${'very '.repeat(3 * i)}long`, name: `t${i}`, group: `t${i}` };
  });
  const config = transfusionTrainingConfig({
    model: { preset: 'nano', layers: 2, channels: 16, heads: 2, feedForward: 16 },
    data: { heldOutFraction: 0.4, textShare: 0.5 },
    ...{ batch: { rows: 2, sequenceLength: 64 }, patchSize: 4 },
  });
  const task = transfusionTask({ config, images, texts, tokenizer });
  session = await openTransfusionSession({ task, backend });
  // Weights that say more than random ones do when training begins.
  const { tokenEmbedding } = session.state.ema;
  tokenEmbedding.write(Float32Array.from(await tokenEmbedding.read(), (value) => 20 * value));
});
afterAll(async () => {
  session.dispose();
  await backend.dispose();
});

/** -log p of what follows each of the places, in f64. */
async function expected(document: Document, timesteps: number[], counted: (token: number, place: number) => number) {
  const { backend, pipeline, averaged } = session;
  const { logits } = await wholeSequence({
    ...{ backend, document, timesteps },
    config: pipeline,
    parameters: averaged as Parameters<typeof wholeSequence>[0]['parameters'],
  });
  let [sum, tokens] = [0, 0];
  const ids = document.parts.flatMap((part) =>
    part.kind === 'text' ? Array.from(part.ids) : [boi, ...new Array<number>(4).fill(-1), tokenizer.special.eoi],
  );
  ids.forEach((id, place) => {
    const target = counted(id, place);
    if (target < 0) return;
    const row = Array.from(logits[place], Number);
    const most = Math.max(...row);
    sum += most + Math.log(row.reduce((all, value) => all + Math.exp(value - most), 0)) - row[target];
    tokens++;
  });
  return { negativeLogLikelihood: sum, tokens };
}

async function summed(parts: ReturnType<typeof expected>[]) {
  let [negativeLogLikelihood, tokens] = [0, 0];
  for (const part of parts) {
    const each = await part;
    negativeLogLikelihood += each.negativeLogLikelihood;
    tokens += each.tokens;
  }
  return { negativeLogLikelihood, tokens };
}

const textOf = (ids: readonly number[]): Document => ({ parts: [{ kind: 'text', ids }] });
const next = (ids: readonly number[]) => (_: number, place: number) => ids[place + 1] ?? -1;

test('rows of texts, captions alone, and captions given their picture', async () => {
  const { heldOut } = session.examples;
  expect(heldOut).toHaveLength(2);
  const rows = session.texts.heldOut;
  const pieces = rows.flat();
  expect(pieces.length).toBeGreaterThan(2);
  const told: number[][] = [];
  const [ofTexts, ofAlone, ofGiven] = await textLikelihoods(
    session,
    [{ rows }, { alone: heldOut }, { given: heldOut }],
    {
      onProgress: (done, total) => told.push([done, total]),
    },
  );
  expect(told.at(-1)![0]).toBe(told.at(-1)![1]);

  const texts = await summed(pieces.map((ids) => expected(textOf(ids), [0], next(ids))));
  const alone = await summed(
    heldOut.map(({ captionIds }) => {
      const ids = [bos, ...captionIds, boi];
      return expected(textOf(ids), [0], next(ids));
    }),
  );
  const given = await summed(
    heldOut.map(({ captionIds, grid, variants }) => {
      const image = { ...grid, latents: variants[0].mean, role: 'context' as const };
      const document = captionDocument({ captionIds, image, order: 'image-first', special: tokenizer.special });
      // BOS, BOI, four patches, EOI, the caption, EOS.
      const ids = [...captionIds, eos];
      return expected(document, [0], (_, place) => ids[place - 6] ?? -1);
    }),
  );
  for (const [found, reference] of [
    [ofTexts, texts],
    [ofAlone, alone],
    [ofGiven, given],
  ]) {
    expect(found.tokens).toBe(reference.tokens);
    expect(found.negativeLogLikelihood / reference.negativeLogLikelihood).toBeCloseTo(1, 5);
  }
  // The picture makes a difference, and so does what ends a caption.
  expect(Math.abs(ofGiven.negativeLogLikelihood / ofAlone.negativeLogLikelihood - 1)).toBeGreaterThan(1e-3);
});

test('rows become the texts that they were made of', () => {
  const special = { bos, eos };
  const rows = [
    [
      [bos, 1, 2, eos],
      [bos, 3, 4],
    ],
    [[4, 5, 6]],
    [
      [6, eos],
      [bos, eos],
    ],
  ];
  expect(textsOfRows(rows, special)).toEqual([[1, 2], [3, 4, 5, 6], []]);
  const texts = textsOfRows(session.texts.heldOut, special).map((ids) => tokenizer.decode(ids));
  expect(texts.length).toBeGreaterThan(1);
  for (const text of texts) expect(text).toMatch(/^a text that is (very )*long$/);
});
