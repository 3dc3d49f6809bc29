/** @file Runs of models whose images are tokens, and of plain language models. */

import { imageSizeToken, parseImageSize } from '@transfusion/data';
import { initialise } from '@transfusion/nn';
import { createSampler } from '@transfusion/sampler';
import { type Backend, flattenTree, PhiloxStream } from '@transfusion/tensor';
import {
  autoencoderCodec,
  autoencoderSpec,
  exportWeights,
  hasCodes,
  klConfigSchema,
  type StoredCodec,
  vqConfigSchema,
} from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';
import { byteTokenizer } from '../../../tokenizer/src/testing/byte-tokenizer.js';
import { train } from '../loop.js';
import type { BaseModel } from '../transfusion/base-model.js';
import { type TransfusionTrainingInput, transfusionTrainingConfig } from '../transfusion/config.js';
import { scoreCaptions, scoreDrawings } from '../transfusion/generation-scores.js';
import { evaluateHeldOut } from '../transfusion/held-out.js';
import { openTransfusionSession } from '../transfusion/session.js';
import { type TransfusionTaskOptions, transfusionTask } from '../transfusion/task.js';

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 2 });
});
afterAll(() => backend.dispose());

const tiny = {
  block_out_channels: [8, 8],
  layers_per_block: 1,
  norm_num_groups: 4,
  latent_channels: 4,
};
/** Half the height and width, each place one of 16 codes. */
const vq = vqConfigSchema.parse({ ...tiny, num_vq_embeddings: 16, vq_embed_dim: 4 });

function stored(config: typeof vq | ReturnType<typeof klConfigSchema.parse>): StoredCodec {
  const isArray = (value: unknown): value is Float32Array => value instanceof Float32Array;
  const values = flattenTree<Float32Array>(initialise(autoencoderSpec(config), 3), isArray);
  return { config: autoencoderCodec(config), weights: exportWeights({ config, values }), where: 'a tiny autoencoder' };
}

const random = new PhiloxStream(8);
/** Pictures of 8 x 8 pixels in large squares, so that their codes differ. */
const pictures = ['red heart', 'frog', 'a blue boat', 'the sun'].map((caption, i) => {
  const squares = Array.from({ length: 16 * 3 }, () => random.integer(256));
  const pixels = Uint8Array.from({ length: 8 * 8 * 3 }, (_, at) => {
    const [y, x, channel] = [Math.floor(at / 24), Math.floor(at / 3) % 8, at % 3];
    return squares[(Math.floor(y / 2) * 4 + Math.floor(x / 2)) * 3 + channel];
  });
  return { caption, name: caption, group: `${i}`, width: 8, height: 8, pixels };
});
const sentences = ['one two three', 'four five six', 'seven eight nine', 'ten'].map((text, i) => {
  return { text, name: `${i}`, group: `${i}` };
});

const learningRate = { type: 'cosine', learningRate: 5e-3, finalLearningRate: 1e-4, warmupSteps: 10 } as const;
const model = { preset: 'nano', layers: 2, channels: 48, heads: 2, feedForward: 96, initializerStd: 0.1 } as const;
const chameleon = { ...model, images: 'tokens', norm: 'post', qkNorm: true } as const;

function taskOf(changes: TransfusionTrainingInput, data: Partial<TransfusionTaskOptions> = {}) {
  const config = transfusionTrainingConfig({
    model: chameleon,
    data: { heldOutFraction: 0 },
    batch: { rows: 4 },
    ...{ steps: 6, seed: 3, zLoss: 1e-5 },
    ...changes,
  });
  return transfusionTask({ config, images: pictures, tokenizer: byteTokenizer(), codec: stored(vq), ...data });
}

test('a few pictures are learned by heart: drawn code for code, and captioned', async () => {
  const steps = 250;
  const data = { heldOutFraction: 0, imageFirstProbability: 0.3, captionDropout: 0 };
  const task = taskOf({ steps, learningRate, data, ema: { decay: 0.9 } });
  const session = await openTransfusionSession({ task, backend });
  const { logged } = await train({
    session,
    logEvery: 10,
    checkpointEvery: steps,
    sampleEvery: 0,
    save: async () => {},
  });
  expect(logged.codes).toBeLessThan(0.5);
  expect(Object.keys(logged)).toEqual(expect.arrayContaining(['language', 'codes', 'z']));
  const { pipeline, tokenizer, codec, state } = session;
  const sampler = createSampler({ backend, config: pipeline, parameters: state.ema, tokenizer, codec });
  // Pixels of an untrained decoder tell little: what counts are the codes.
  const { drawn } = await scoreDrawings(sampler, session.examples.train, { temperature: 0, guidance: 1 });
  if (!hasCodes(codec)) throw new Error('the codec has no codes');
  const wanted = session.examples.train.map(({ variants }) => Int32Array.from(variants[0].mean));
  // Pictures that are not told apart by their codes would prove nothing.
  expect(new Set(wanted.map((codes) => codes.join())).size).toBe(4);
  const images = await codec.decodeCodes({ height: 8, width: 8, codes: wanted });
  images.forEach((image, i) => {
    expect(drawn[i].image.data).toEqual(image.map((value) => Math.min(Math.max(value, -1), 1)));
  });
  expect((await scoreCaptions(sampler, session.examples.train)).accuracy).toBe(1);
  sampler.dispose();
  session.dispose();
}, 60_000);

test('a batch is of tokens alone: codes after the ids of text, BOI and codes with targets, causal everywhere', async () => {
  const task = taskOf({ data: { heldOutFraction: 0, flip: true } });
  const { boi, eoi } = task.tokenizer.special;
  const first = task.tokenizer.vocabularySize;
  expect(task.pipeline.model).toMatchObject({
    vocabularySize: first + 16,
    images: 'tokens',
    patchSize: 1,
    patchValues: 1,
  });
  const session = await openTransfusionSession({ task, backend });
  let [seen, mirrored] = [0, 0];
  for (const step of [0, 1, 2]) {
    const [{ tokens, targets, begin, end, groups, targetCount, imageCount }] = (await session.batches(
      step,
    )) as never as [
      Record<'tokens' | 'targets' | 'begin' | 'end', Int32Array> & {
        groups: unknown[];
        targetCount: Float32Array;
        imageCount: Float32Array;
      },
    ];
    expect(groups).toEqual([]);
    const width = task.sizes.batch.sequenceLength;
    end.forEach((value, i) => expect(value).toBe((i % width) + 1));
    tokens.forEach((token, at) => {
      if (token !== boi) return;
      seen++;
      const codes = [...tokens.subarray(at + 1, at + 17)].map((id) => id - first);
      expect([...targets.subarray(at, at + 17)]).toEqual([...codes.map((code) => first + code), eoi]);
      const known = session.examples.train.flatMap(({ variants }) => variants.map(({ mean }) => [...mean].join()));
      expect(known).toContain(codes.join());
      if (session.examples.train.some(({ variants }) => [...variants[1].mean].join() === codes.join())) mirrored++;
      expect(begin[at + 1]).toBe(begin[at]);
    });
    const ofImages = targets.filter((target) => target >= first || target === eoi).length;
    expect([...targetCount, ...imageCount]).toEqual([targets.filter((target) => target >= 0).length, ofImages]);
    expect(ofImages).toBe(4 * 17);
  }
  expect(seen).toBe(12);
  expect(mirrored).toBeGreaterThan(0);
  expect(mirrored).toBeLessThan(12);
  session.dispose();
});

test('what is held out is told apart: the loss of text, and of codes; parts of a batch add up', async () => {
  const held = { data: { heldOutFraction: 0.5 }, steps: 4 };
  const open = (batch: { rows: number; accumulation?: number }) =>
    openTransfusionSession({ task: taskOf({ ...held, batch }, { texts: sentences }), backend });
  const [whole, single] = [await open({ rows: 4 }), await open({ rows: 1 })];
  const scores = [await evaluateHeldOut(whole), await evaluateHeldOut(single)];
  for (const each of scores) {
    expect(Object.keys(each.heldOut).sort()).toEqual(['codes', 'language']);
    expect(Object.keys(each.heldOutTexts)).toEqual(['language']);
  }
  expect(scores[1].heldOut.language).toBeCloseTo(scores[0].heldOut.language!, 4);
  expect(scores[1].heldOut.codes).toBeCloseTo(scores[0].heldOut.codes!, 4);
  // Untrained: near uniform over 16 codes among all ids.
  expect(scores[0].heldOut.codes).toBeGreaterThan(3);
  whole.dispose();
  single.dispose();
});

test('a step of plain texts says nothing of images', async () => {
  const task = taskOf({ batch: { rows: 1 }, data: { textShare: 0.5, heldOutFraction: 0 } }, { texts: sentences });
  const session = await openTransfusionSession({ task, backend });
  const terms = { language: 1, codes: 2, z: 3 };
  const steps = await Promise.all([0, 1, 2, 3].map((step) => session.batches(step)));
  const told = steps.map((batches) => Object.keys(session.termsOf(terms, batches)).join());
  expect(new Set(told)).toEqual(new Set(['language,z', 'language,z,codes']));
  session.dispose();
});

test('a plain language model has no weights for images, and learns', async () => {
  const options = { images: [], texts: sentences, imageSize: 8, codec: undefined };
  const task = taskOf({ model: { ...model, images: 'none' }, steps: 30, zLoss: 0, learningRate }, options);
  const session = await openTransfusionSession({ task, backend });
  expect(Object.keys(session.state.parameters)).toEqual(['tokenEmbedding', 'blocks', 'norm', 'languageHead']);
  const runner = { session, logEvery: 5, checkpointEvery: 100, sampleEvery: 0, save: async () => {} };
  const { logged } = await train(runner);
  expect(logged.language).toBeLessThan(3);
  expect(Object.keys(logged)).not.toContain('diffusion');
  session.dispose();
});

test('pictures of several sizes are announced by tokens before BOI', async () => {
  const wide = pictures.map((each, i) =>
    i > 1 ? each : { ...each, height: 4, pixels: each.pixels.slice(0, 4 * 8 * 3) },
  );
  const tokenizer = byteTokenizer(['8x8', '8x4'].map((size) => imageSizeToken(parseImageSize(size)!)));
  const task = taskOf({ data: { heldOutFraction: 0, announceSizes: true } }, { images: wide, tokenizer });
  const session = await openTransfusionSession({ task, backend });
  const [{ tokens, targets }] = (await session.batches(0)) as never as [Record<'tokens' | 'targets', Int32Array>];
  const { boi, eoi } = tokenizer.special;
  const seen = [...tokens].flatMap((token, at) => {
    if (token !== boi) return [];
    expect([targets[at - 1], targets[at - 2]]).toEqual([boi, tokens[at - 1]]);
    return [[tokens[at - 1], tokens.indexOf(eoi, at) - at - 1]];
  });
  const [square, flat] = ['8x8', '8x4'].map((size) => task.sizeTokens!.get(size)!);
  expect(new Set(seen.map(String))).toEqual(new Set([`${square},16`, `${flat},8`]));
  session.dispose();
});

test('a model of tokens is trained on, and with a LoRA', async () => {
  const first = await openTransfusionSession({ task: taskOf({ steps: 1 }), backend });
  const { config, tensors } = await first.modelFiles();
  first.dispose();
  const base = { config, tensors, tokenizer: byteTokenizer(), vae: stored(vq) } as BaseModel;
  // Sizes and codec are the base's, whatever the configuration says.
  const given = { codec: undefined, base };
  const whole = await openTransfusionSession({ task: taskOf({ model }, given), backend });
  expect(whole.pipeline.model).toEqual(first.pipeline.model);
  expect(whole.sizes.codes).toEqual(first.sizes.codes);
  expect(await whole.state.parameters.norm.read()).toEqual(tensors.get('norm')!.data);
  const before = await evaluateHeldOut({ ...whole, examples: { train: [], heldOut: whole.examples.train } });
  whole.dispose();

  const lora = { rank: 4, alpha: 8, targets: 'all-linear' as const };
  const task = taskOf({ model, lora, steps: 40, learningRate, ema: { decay: 0.8 } }, given);
  const session = await openTransfusionSession({ task, backend });
  const heldOut = () => evaluateHeldOut({ ...session, examples: { train: [], heldOut: session.examples.train } });
  expect(await heldOut()).toEqual(before);
  await train({ session, logEvery: 20, checkpointEvery: 100, sampleEvery: 0, save: async () => {} });
  expect((await heldOut()).heldOut.codes).toBeLessThan(0.8 * before.heldOut.codes!);
  const sampler = createSampler({ ...session, config: session.pipeline, parameters: session.averaged });
  expect(await sampler.drawImages({ prompts: ['frog'] })).toHaveLength(1);
  sampler.dispose();
  session.dispose();
  const large = byteTokenizer(['<a>']);
  expect(() => taskOf({ model }, { ...given, tokenizer: large })).toThrow(/CONFIG_TOKENIZER/);
});

test('what does not go together is refused', async () => {
  expect(() => taskOf({}, { codec: undefined })).toThrow(
    /CONFIG_CODEC: model.images is tokens, and the codec is pixels/,
  );
  const kl = stored(klConfigSchema.parse(tiny));
  expect(() => taskOf({}, { codec: kl })).toThrow(/CONFIG_CODEC: .*kl.*\n.*codec=emoji-64-vq/);
  expect(() => taskOf({ model: { ...model, images: 'none' } })).toThrow(/CONFIG_IMAGES: .* 4 pictures/);
  const task = taskOf({});
  const latents = pictures.map(() => [{ mean: new Float32Array(16) }]);
  await expect(openTransfusionSession({ task, backend, latents })).rejects.toThrow(/LATENTS_FOREIGN: .*tokens/);
  const clean = { data: { imageContext: 'clean' } } as const;
  expect(() => taskOf(clean)).toThrow(/CONFIG_INVALID.*data.imageContext: clean is for .* model.images is tokens/s);
  for (const images of ['tokens', 'none'] as const) {
    const patched = { model: { ...chameleon, images, imageAttention: 'causal' } } as const;
    expect(() => taskOf(patched)).toThrow(new RegExp(`CONFIG_INVALID.*imageAttention: .* images is '${images}'`, 's'));
  }
  // A VQ codec's vectors may be diffused, as before.
  expect(taskOf({ model, patchSize: 2 }).pipeline.model).toMatchObject({ images: 'diffusion', patchValues: 16 });
});
