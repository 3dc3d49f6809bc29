/** @file Training of both networks: what they learn, the same bits again and after a resumption, and their folders. */
import { MemorySource, writeSafetensors } from '@transfusion/checkpoint';
import { type CaptionedImage, imageOf } from '@transfusion/data';
import { type Backend, flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import { Tokenizer } from '@transfusion/tokenizer';
import { trainByteLevelBpe } from '@transfusion/tokenizer/train';
import { train } from '@transfusion/training';
import { openWasm } from '@transfusion/wasm';
import { captionsOf } from './captions.js';
import { type DualEncoder, type ImageClassifier, openDualEncoder, openImageClassifier } from './open-encoder.js';
import { scoreEncoder } from './scores.js';
import { readEncoder } from './stored-encoder.js';
import { type EvaluatorSession, evaluatorTask, openEvaluatorSession } from './task.js';
import { colouredPictures } from './testing/pictures.js';
import { type EvaluatorTrainingInput, evaluatorTrainingConfig } from './training-config.js';

const all = colouredPictures(24);
const images = { train: all.slice(0, 18), heldOut: all.slice(18) };

const dual: EvaluatorTrainingInput = {
  ...{ steps: 60, batchSize: 12, data: { shift: 1 } },
  network: {
    kind: 'dual-encoder',
    image: { channels: 16, layers: 1, heads: 2, feedForward: 16, patchSize: 4 },
    text: { channels: 16, layers: 1, heads: 2, feedForward: 16, maxTokens: 20, vocabularySize: 280 },
    embedding: 8,
  },
  learningRate: { learningRate: 1e-2, warmupSteps: 5 },
  ema: { decay: 0.9 },
};
const classifier: EvaluatorTrainingInput = {
  ...{ steps: 80, batchSize: 12, data: { shift: 1, flip: true } },
  network: { kind: 'image-classifier', image: { channels: [8, 16] } },
  learningRate: { learningRate: 1e-2, warmupSteps: 5 },
  ema: { decay: 0.9 },
};
const KINDS = [['dual encoder', dual] as const, ['classifier', classifier] as const];

let backend: Backend;
let tokenizer: Tokenizer;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
  const texts = images.train.flatMap((image) => [...captionsOf(image)]);
  tokenizer = new Tokenizer(await trainByteLevelBpe({ texts, vocabularySize: 280 }));
});
afterAll(() => backend.dispose());

function taskOf(input: EvaluatorTrainingInput, given: { train: CaptionedImage[]; heldOut: CaptionedImage[] } = images) {
  const config = evaluatorTrainingConfig(input);
  return evaluatorTask({
    config,
    images: given,
    tokenizer: config.network.kind === 'dual-encoder' ? tokenizer : undefined,
  });
}

async function contents({ state }: EvaluatorSession): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const [path, variable] of flattenTree<Variable>(state, isVariable)) values.set(path, await variable.read());
  return values;
}

/** A folder as `trainer export` writes it. */
async function folderOf(session: EvaluatorSession, dtype?: 'F16'): Promise<Record<string, Uint8Array>> {
  const { config, tensors, tokenizer: own } = await session.modelFiles();
  const stored = new Map([...tensors].map(([name, tensor]) => [name, { ...tensor, ...(dtype && { dtype }) }]));
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  return {
    'config.json': json(config),
    'model.safetensors': writeSafetensors(stored),
    ...(own ? { 'tokenizer.json': json(own) } : {}),
  };
}

const sourceOf = (files: Record<string, Uint8Array>) => new MemorySource(files);

describe.each(KINDS)('%s', (_name, input) => {
  test('learns; the same again, and after a resumption, in every bit', async () => {
    const task = taskOf(input);
    const whole = await openEvaluatorSession({ task, backend });
    const losses: number[] = [];
    const metrics = (line: Record<string, unknown>) => {
      losses.push((line.contrastive ?? line.crossEntropy) as number);
    };
    await train({ session: whole, metrics, logEvery: 5 });
    expect(losses.at(-1)!).toBeLessThan(losses[0] / 3);
    const encoder = await whole.openEncoder();
    const scores = await scoreEncoder(encoder, images.heldOut);
    if ('accuracy' in scores) expect(scores.accuracy).toBe(1);
    else expect([scores.imageToText1, scores.textToImage1]).toEqual([1, 1]);
    encoder.dispose();

    const stop = new AbortController();
    const first = await openEvaluatorSession({ task: taskOf(input), backend });
    await train({ session: first, signal: stop.signal, progress: (step) => step === 17 && stop.abort() });
    const resume = { step: 17, values: await contents(first) };
    first.dispose();
    const second = await openEvaluatorSession({ task: taskOf(input), backend, resume });
    await train({ session: second, start: { step: 17, trainSeconds: 0 } });
    expect(await contents(second)).toEqual(await contents(whole));
    second.dispose();
    whole.dispose();
  });
});

describe('folders', () => {
  let sessions: EvaluatorSession[];
  beforeAll(async () => {
    sessions = [];
    for (const [, input] of KINDS) {
      const session = await openEvaluatorSession({ task: taskOf({ ...input, steps: 10 }), backend });
      await train({ session });
      sessions.push(session);
    }
  });
  afterAll(() => {
    for (const session of sessions) session.dispose();
  });

  const pictures = images.heldOut.map(imageOf);
  const texts = ['red', 'a green square', 'something that is far longer than any text that it has ever seen'];
  const furthest = (a: Float32Array, b: Float32Array) => Math.max(...a.map((value, i) => Math.abs(value - b[i])));

  test('a dual encoder gives the same from f32, nearly the same from f16, in batches of any size', async () => {
    const [session] = sessions;
    const own = (await session.openEncoder()) as DualEncoder;
    const [ofImages, ofTexts] = [await own.encodeImages(pictures), await own.encodeTexts(texts)];
    expect([ofImages.length, ofTexts.length]).toEqual([6 * 8, 3 * 8]);
    for (let i = 0; i < 3; i++) expect(Math.hypot(...ofTexts.slice(8 * i, 8 * i + 8))).toBeCloseTo(1, 5);
    for (const [dtype, tolerance] of [
      [undefined, 1e-6],
      ['F16', 5e-3],
    ] as const) {
      // biome-ignore format: a table
      const encoder = await readEncoder(sourceOf(await folderOf(session, dtype)));
      const opened = await openDualEncoder({ backend, encoder, maxBatch: 4 });
      expect(furthest(await opened.encodeImages(pictures), ofImages)).toBeLessThan(tolerance);
      expect(furthest(await opened.encodeTexts(texts), ofTexts)).toBeLessThan(tolerance);
      expect(await opened.encodeImages([])).toHaveLength(0);
      opened.dispose();
    }
    own.dispose();
  });

  test('a classifier too: features, and probabilities that add up to 1', async () => {
    const [, session] = sessions;
    const own = (await session.openEncoder()) as ImageClassifier;
    const probabilities = await own.classify(pictures);
    for (let i = 0; i < 6; i++) expect(probabilities.slice(6 * i, 6 * i + 6).reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    const encoder = await readEncoder(sourceOf(await folderOf(session, 'F16')));
    const opened = await openImageClassifier({ backend, encoder });
    expect(opened.features).toBe(16);
    expect(furthest(await opened.classify(pictures), probabilities)).toBeLessThan(5e-3);
    expect(furthest(await opened.encodeImages(pictures), await own.encodeImages(pictures))).toBeLessThan(1e-2);
    expect(opened.config.classes).toEqual(['black', 'blue', 'green', 'red', 'white', 'yellow']);
    opened.dispose();
    own.dispose();
  });

  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const changed = (files: Record<string, Uint8Array>, change: (config: never) => void) => {
    const config = JSON.parse(new TextDecoder().decode(files['config.json']));
    change(config as never);
    return { ...files, 'config.json': json(config) };
  };
  type Files = Record<string, Uint8Array>;
  test.each<[string, (files: Files) => Files, RegExp]>([
    [
      'an autoencoder',
      (files) => ({ ...files, 'config.json': json({ _class_name: 'AutoencoderKL' }) }),
      /ENCODER_FOLDER: .*config\.json: it is that of "AutoencoderKL", expected "dual-encoder"/,
    ],
    [
      'CLIP',
      (files) => ({ ...files, 'config.json': json({ model_type: 'clip' }) }),
      /ENCODER_FOLDER: .*model_type is "clip"/,
    ],
    ['no object', (files) => ({ ...files, 'config.json': json(null) }), /ENCODER_FOLDER: .*model_type is nothing/],
    [
      'an unknown field',
      (files) =>
        changed(files, (config: { embeding: number }) => {
          config.embeding = 3;
        }),
      /CONFIG_INVALID: .*config\.json.*\n.*embeding: unknown key; did you mean "embedding"/,
    ],
    [
      'heads that do not divide',
      (files) =>
        changed(files, (config: { image: { heads: number } }) => {
          config.image.heads = 3;
        }),
      /image\.heads: heads must divide channels/,
    ],
    [
      'other sizes',
      (files) =>
        changed(files, (config: { embedding: number }) => {
          config.embedding = 12;
        }),
      /CHECKPOINT_CONTENT: .*model\.safetensors.*imageProjection is \[8, 16\], expected \[12, 16\]/,
    ],
    ['no tokenizer', ({ 'tokenizer.json': _, ...files }) => files, /CHECKPOINT_MISSING: .*tokenizer\.json/],
    [
      'another tokenizer',
      (files) =>
        changed(files, (config: { text: { vocabularySize: number } }) => {
          config.text.vocabularySize = 9;
        }),
      /tokenizer\.json has 2\d\d ids, config\.json a vocabulary of 9/,
    ],
    ['no weights', ({ 'model.safetensors': _, ...files }) => files, /CHECKPOINT_MISSING: .*model\.safetensors/],
  ])('refused by name: %s', async (_case, change, message) => {
    // biome-ignore format: a table
    const files = change(await folderOf(sessions[0]));
    await expect(readEncoder(sourceOf(files))).rejects.toThrow(message);
  });

  test('refused by name: weights that are not finite, pictures that do not fit, the other kind', async () => {
    const { config, tensors } = await sessions[0].modelFiles();
    tensors.get('logScale')!.data[0] = Number.NaN;
    const files = { ...(await folderOf(sessions[0])), 'model.safetensors': writeSafetensors(tensors) };
    await expect(readEncoder(sourceOf(files))).rejects.toThrow(/CHECKPOINT_CONTENT: .*logScale \[1\] has NaN/);
    expect(config).toMatchObject({ model_type: 'dual-encoder', image: { imageSize: 8 } });
    const encoder = await readEncoder(sourceOf(await folderOf(sessions[0])));
    await expect(openImageClassifier({ backend, encoder })).rejects.toThrow(
      /ENCODER_KIND: .*dual-encoder, expected image-classifier/,
    );
    await expect(openDualEncoder({ backend, encoder, maxBatch: 0 })).rejects.toThrow(/ENCODER_OPTIONS: maxBatch is 0/);
    const opened = await openDualEncoder({ backend, encoder });
    const { data } = pictures[0];
    await expect(opened.encodeImages([{ width: 4, height: 8, data: data.subarray(96) }])).rejects.toThrow(
      /ENCODER_IMAGE: encodeImages: images\[0\] is 4 x 8; the network takes 8 x 8/,
    );
    await expect(opened.encodeImages([{ width: 8, height: 8, data: data.map(() => Number.NaN) }])).rejects.toThrow(
      /images\[0\] has NaN at value 0/,
    );
    opened.dispose();
  });
});

test.each<[string, EvaluatorTrainingInput, CaptionedImage[], CaptionedImage[], RegExp]>([
  ['no pictures', dual, [], [], /DATA_NO_EXAMPLES/],
  ['no caption', dual, [{ ...all[0], caption: undefined }], [], /DATA_NO_CAPTION: picture 0 has no caption/],
  ['two sizes', dual, [all[0], { ...all[1], width: 4, height: 4 }], [], /DATA_IMAGE_SIZE: .*picture 1 is 4 x 4/],
  ['one class', classifier, [all[0]], [], /DATA_CLASSES: the pictures have 1 distinct captions/],
  [
    'a class that is not trained on',
    classifier,
    all.slice(0, 2),
    [all[2]],
    /DATA_CLASSES: picture 2 is of the class "blue"/,
  ],
  [
    'patches that do not fit',
    { network: { kind: 'dual-encoder', image: { patchSize: 3 } } },
    all,
    [],
    /CONFIG_INVALID: network .*\n.*image\.patchSize: patchSize must divide/,
  ],
])('refused by name: %s', (_case, input, train, heldOut, message) => {
  // biome-ignore format: a table
  expect(() => taskOf(input, { train, heldOut })).toThrow(message);
});
