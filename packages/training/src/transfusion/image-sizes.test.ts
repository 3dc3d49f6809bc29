/** @file Runs with images of several sizes: what is packed, what is refused, and a model that learns which size belongs to which caption. */
import { type CaptionedImage, formatImageSize, imageSizeToken, type SourceDocument } from '@transfusion/data';
import { createSampler, imageSizes } from '@transfusion/sampler';
import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { byteTokenizer } from '../../../tokenizer/src/testing/byte-tokenizer.js';
import { train } from '../loop.js';
import { type TransfusionTrainingInput, transfusionTrainingConfig } from './config.js';
import { openTransfusionSession } from './session.js';
import { transfusionTask } from './task.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
});
afterAll(() => backend.dispose());

const SIZES = [
  { width: 8, height: 8 },
  { width: 16, height: 8 },
  { width: 8, height: 16 },
];
const captions = ['square', 'wide', 'high'];
const images = SIZES.map(({ width, height }, i): CaptionedImage => {
  const pixels = new Uint8Array(width * height * 3).fill(60 + 60 * i);
  return { ...{ width, height, pixels }, caption: captions[i], name: captions[i], group: captions[i] };
});
const tokenizer = byteTokenizer(SIZES.map(imageSizeToken));
const tokenOf = (i: number) => tokenizer.specialTokens.get(imageSizeToken(SIZES[i]))!;

const config = (changes: TransfusionTrainingInput = {}) =>
  transfusionTrainingConfig({
    model: { preset: 'nano', layers: 2, channels: 48, heads: 2, feedForward: 64 },
    data: { heldOutFraction: 0, announceSizes: true, captionDropout: 0 },
    ...{ batch: { rows: 6 }, patchSize: 4, steps: 60, seed: 3 },
    ...{ learningRate: { type: 'constant', learningRate: 3e-3 }, ema: { decay: 0.8 } },
    ...changes,
  });

test('of which each is announced by its own token, in either order and in documents', async () => {
  const [square, wide] = SIZES.map(({ width, height }) => ({
    width,
    height,
    pixels: new Uint8Array(width * height * 3),
  }));
  const documents: SourceDocument[] = [
    {
      name: 'd',
      group: 'd',
      parts: [
        { kind: 'image', ...wide },
        { kind: 'text', text: 'ab' },
        { kind: 'image', ...square, role: 'context' },
      ],
    },
  ];
  const session = await openTransfusionSession({
    task: transfusionTask({ config: config(), images, documents, tokenizer }),
    backend,
  });
  const { bos, eos, boi, eoi } = tokenizer.special;
  const [batch] = session.source.evaluation({ examples: session.examples.train, documents: session.documents.train });
  const length = session.sizes.batch.sequenceLength;
  // BOS SIZE BOI 8 patches EOI a b SIZE BOI 4 patches EOI EOS: the longest.
  expect(length).toBe(1 + 3 + 8 + 2 + 3 + 4 + 1);
  const row = (i: number) =>
    [...batch.arrays.tokens.slice(i * length, (i + 1) * length)].filter((id) => id !== tokenizer.special.pad);
  const patches = (count: number) => new Array<number>(count).fill(-1);
  images.forEach(({ caption = '' }, i) => {
    const n = i === 0 ? 4 : 8;
    expect(row(i)).toEqual([bos, ...tokenizer.encode(caption), tokenOf(i), boi, ...patches(n), eoi, eos]);
  });
  expect(row(3)).toEqual([
    ...[bos, tokenOf(1), boi, ...patches(8), eoi, ...tokenizer.encode('ab')],
    ...[tokenOf(0), boi, ...patches(4), eoi, eos],
  ]);
  for (let step = 0; step < 8; step++) {
    for (const { tokens } of session.source.step(step)) {
      tokens.forEach((id, at) => {
        if (id !== boi) return;
        const opened = SIZES.findIndex((_, i) => tokens[at - 1] === tokenOf(i));
        expect(opened).toBeGreaterThanOrEqual(0);
        expect(tokens.slice(at + 1, at + 10).indexOf(eoi)).toBe(opened === 0 ? 4 : 8);
      });
    }
  }
  session.dispose();
});

test('a tiny model learns which size belongs to which caption, announces it and draws it', async () => {
  const task = transfusionTask({ config: config(), images, tokenizer });
  expect(task.pipeline.image).toEqual({ size: 8, sizes: SIZES, announced: true, channels: 3 });
  const session = await openTransfusionSession({ task, backend });
  const result = await train({ session });
  expect(result).toMatchObject({ step: 60, finished: true });
  const sampler = createSampler({
    backend,
    config: task.pipeline,
    parameters: session.state.ema,
    tokenizer,
    codec: session.codec,
  });
  const drawn = await sampler.drawImages({ prompts: captions, steps: 4 });
  expect(drawn.map(formatImageSize)).toEqual(['8x8', '16x8', '8x16']);
  // Without being told to draw: after the caption it writes the token of the size.
  for (const [i, text] of captions.entries()) {
    const seen: string[] = [];
    for await (const event of sampler.generate({
      prompt: [{ text }],
      maxTokens: 4,
      maxImages: 1,
      image: { steps: 2 },
    })) {
      if (event.type === 'image') seen.push(formatImageSize(event.image));
    }
    expect(seen).toEqual([formatImageSize(SIZES[i])]);
  }
  sampler.dispose();
  session.dispose();
}, 60_000);

test('without announcing, sizes are in the configuration all the same', () => {
  const plain = byteTokenizer();
  const silent = { ...config(), data: { ...config().data, announceSizes: false } };
  const imageOf = (given: readonly CaptionedImage[], imageSize?: number) =>
    transfusionTask({ config: silent, images: given, tokenizer: plain, imageSize }).pipeline.image;
  expect(imageOf(images)).toEqual({ size: 8, sizes: SIZES, announced: false, channels: 3 });
  // As it was where all are of one size.
  expect(imageOf(images.slice(0, 1))).toEqual({ size: 8, announced: false, channels: 3 });
  expect(imageOf(images.slice(1, 2))).toEqual({ size: SIZES[1], announced: false, channels: 3 });
  expect(imageSizes(imageOf(images.slice(1)))).toEqual(SIZES.slice(1));
  expect(() => imageOf(images, 16)).toThrow(
    /CONFIG_INVALID: .*\s+image\.size: 16x16 is not among image\.sizes: 8x8, 16x8, 8x16/,
  );
});

test('a tokenizer that lacks the tokens of the sizes, or has others, is refused before anything is encoded', () => {
  expect(() => transfusionTask({ config: config(), images, tokenizer: byteTokenizer() })).toThrow(
    /CONFIG_IMAGE_SIZES: the tokenizer has no <\|image:8x8\|>, <\|image:16x8\|>, <\|image:8x16\|>/,
  );
  expect(() => transfusionTask({ config: config(), images: images.slice(0, 2), tokenizer })).toThrow(
    /CONFIG_IMAGE_SIZES: the tokenizer has <\|image:8x16\|>, and no image is of that size \(image sizes: 8x8, 16x8\)/,
  );
});
