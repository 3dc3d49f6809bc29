/** @file Models whose images are tokens (Chameleon), and models without images. */
import { type CodeIds, codeTokens, imageSizeToken, type RgbImage } from '@transfusion/data';
import { type Backend, compile, i32, PhiloxStream, type Variable } from '@transfusion/tensor';
import { forward, languageLogits, type TransfusionParameters } from '@transfusion/transformer';
import { autoencoderCodec, openCodec, type VqCodec } from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';
import { sampleToken } from './choose-token.js';
import { imageCodes, type PipelineConfig, type PipelineConfigInput, pipelineConfigSchema } from './config.js';
import type { DrawImagesOptions } from './draw-images.js';
import type { GenerateOptions, SamplerEvent } from './generate.js';
import { completeImageSampling } from './image-steps.js';
import { RandomPurpose } from './random-purpose.js';
import { createSampler, type Sampler } from './sampler.js';
import { SequenceBatch } from './sequence-batch.js';
import { greatestDifference } from './testing/reference-forward.js';
import { tinyCodecWeights, tinyKl, tinyVq } from './testing/tiny-codec.js';
import {
  byteTokenizer,
  singleMindedSampler,
  testImage,
  testPicture,
  tinyConfig,
  tinyParameters,
} from './testing/tiny-model.js';

const CODES = tinyVq.num_vq_embeddings;
const TEXT_IDS = 264;
const IMAGE = 16; // codes of 8 x 8 pixels

/** Images of 8 x 8 pixels as 4 x 4 codes of 16, QK-norm and post-norm. */
function tokenConfig(changes: object = {}, image: PipelineConfigInput['image'] = { size: 8 }): PipelineConfig {
  const { patchSize, patchValues, ...sizes } = tinyConfig().model;
  return tinyConfig({
    codec: autoencoderCodec(tinyVq),
    model: { ...sizes, vocabularySize: TEXT_IDS + CODES, images: 'tokens', qkNorm: true, norm: 'post', ...changes },
    image,
  });
}

const config = tokenConfig();
const codes: CodeIds = { first: TEXT_IDS, count: CODES };
const { special } = byteTokenizer();
const encode = (text: string) => byteTokenizer().encode(text);
const EIGHT = { width: 8, height: 8 };
const decoded = (images: Float32Array[]) =>
  images.map((image) => ({ ...EIGHT, data: image.map((value) => Math.min(Math.max(value, -1), 1)) }));

let backend: Backend;
let parameters: TransfusionParameters<Variable>;
let codec: VqCodec;
let sampler: Sampler;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
  parameters = tinyParameters(backend, config);
  codec = openCodec({ backend, config: autoencoderCodec(tinyVq), weights: tinyCodecWeights(tinyVq) }) as VqCodec;
  sampler = createSampler({ backend, config, parameters, tokenizer: byteTokenizer(), codec });
});
afterAll(() => backend.dispose());

async function collect(options: GenerateOptions, from = sampler): Promise<SamplerEvent[]> {
  const events: SamplerEvent[] = [];
  for await (const event of from.generate(options)) events.push(event);
  return events;
}
const draw = (options: DrawImagesOptions) => sampler.drawImages(options);

/** Next-token logits after every position of a sequence, without a cache. */
async function wholeLogits(ids: readonly number[], of = config): Promise<Float32Array[]> {
  const row = i32(1, ids.length);
  const run = await compile({
    backend,
    name: 'whole sequence',
    inputs: { tokens: row, positions: row, begin: row, end: row },
    state: { parameters: of === config ? parameters : tinyParameters(backend, of) },
    fn: (inputs, state) => {
      const { hidden } = forward(of.model, state.parameters, inputs);
      return { outputs: { logits: languageLogits(state.parameters, hidden) } };
    },
  });
  const positions = Int32Array.from(ids.keys());
  const { logits } = await run.run({
    ...{ tokens: Int32Array.from(ids), positions, begin: positions.map(() => 0), end: positions.map((i) => i + 1) },
  });
  run.dispose();
  const width = of.model.vocabularySize;
  return ids.map((_, i) => logits.slice(i * width, (i + 1) * width));
}

/** Chameleon's drawing, written down plainly: no cache, one image, one code after the other. */
async function plainDrawing(
  caption: string,
  options: { guidance: number; temperature: number; image: number; negativePrompt?: string },
) {
  const { guidance, temperature, image, negativePrompt = '' } = options;
  const stream = new PhiloxStream(5, RandomPurpose.imageToken, image);
  const drawn: number[] = [];
  const last = async (before: readonly number[]) => {
    const ids = [...before, special.boi, ...drawn.map((code) => TEXT_IDS + code)];
    return (await wholeLogits(ids)).at(-1)!.slice(TEXT_IDS);
  };
  for (let i = 0; i < IMAGE; i++) {
    const c = await last([special.bos, ...encode(caption)]);
    const u = await last([special.bos, ...encode(negativePrompt)]);
    const logits = c.map((value, k) => u[k] + guidance * (value - u[k]));
    drawn.push(sampleToken(logits, { temperature }, stream.uniform()));
  }
  return Int32Array.from(drawn);
}

test('with the cache, code by code, logits are those of the whole sequence', async () => {
  const image = Float32Array.from({ length: IMAGE }, (_, i) => (i * 7) % CODES);
  const ids = [
    ...[special.bos, ...encode('red'), special.boi],
    ...codeTokens(image, codes),
    ...[special.eoi, ...encode('ab')],
  ];
  const whole = await wholeLogits(ids);
  const batch = new SequenceBatch({
    ...{ backend, config: config.model, parameters, codes, rows: 2, capacity: 64 },
  });
  // Row 1, with another sequence beside it.
  for (const [i, id] of ids.entries()) {
    const logits = await batch.appendTokens(
      new Map([
        [1, [id]],
        [0, [special.bos + (i % 3)]],
      ]),
    );
    expect(greatestDifference(logits.get(1)!, whole[i])).toBeLessThan(1e-4);
  }
  // At once, after something else was there: what is truncated leaves no trace.
  batch.truncate(1, 5);
  await batch.appendTokens(new Map([[1, codeTokens(new Float32Array(IMAGE).fill(3), codes)]]));
  batch.truncate(1, 5);
  await batch.appendImages(new Map([[1, image]]), { height: 4, width: 4, channels: 1 });
  const after = await batch.appendTokens(new Map([[1, [special.eoi, ...encode('ab')]]]));
  expect(greatestDifference(after.get(1)!, whole.at(-1)!)).toBeLessThan(1e-4);
  batch.dispose();
});

describe('drawing', () => {
  test.each([
    ['the most likely codes', { guidance: 1, temperature: 0 }],
    ['sampled', { guidance: 1, temperature: 1 }],
    ['guided', { guidance: 3, temperature: 0.7 }],
    ['away from the text', { guidance: -1, temperature: 1 }],
    ['away from another text', { guidance: 3, temperature: 1, negativePrompt: 'blurred' }],
  ])('%s: as written down plainly', async (_, options) => {
    const prompts = ['red', 'blue!'];
    const drawn = await draw({ prompts, seed: 5, ...options });
    const expected = [
      await plainDrawing('red', { ...options, image: 0 }),
      await plainDrawing('blue!', { ...options, image: 1 }),
    ];
    expect(drawn).toEqual(decoded(await codec.decodeCodes({ height: 8, width: 8, codes: expected })));
    expect(expected[0]).not.toEqual(expected[1]);
  });

  test('is the same again, in batches of any size, in generate; another seed draws others', async () => {
    const options = { prompts: ['red', '', 'a longer caption'], guidance: 2, seed: 9 };
    const steps: string[] = [];
    const drawn = await draw({ ...options, onStep: ({ step, steps: all }) => steps.push(`${step}/${all}`) });
    expect(steps).toEqual(Array.from({ length: IMAGE }, (_, i) => `${i + 1}/${IMAGE}`));
    expect(await draw(options)).toEqual(drawn);
    // Decoding rounds by the number of images.
    const inPairs = await draw({ ...options, maxBatch: 2 });
    inPairs.forEach((image, i) => expect(greatestDifference(image.data, drawn[i].data)).toBeLessThan(1e-5));
    expect(await draw({ ...options, seed: 10 })).not.toEqual(drawn);
    const given = { prompt: [{ text: 'red' }], forceImage: true, maxTokens: 0, seed: 9, image: { guidance: 2 } };
    const events = await collect(given);
    const [image] = events.flatMap((event) => (event.type === 'image' ? [event.image] : []));
    expect(greatestDifference(image.data, drawn[0].data)).toBeLessThan(1e-5);
    expect(events.map(({ type }) => type)).toEqual([...Array(IMAGE).fill('denoise'), 'image', 'done']);
  });

  test('an image depends on its own prompt only', async () => {
    const first = await draw({ prompts: ['red', 'blue'] });
    const second = await draw({ prompts: ['red', 'cyan'] });
    expect(second[0]).toEqual(first[0]);
    expect(second[1]).not.toEqual(first[1]);
  });

  test('top-k of 1 is the most likely code, whatever the temperature', async () => {
    const prompts = ['red'];
    const likely = await draw({ prompts, temperature: 0 });
    expect(await draw({ prompts, temperature: 5, topK: 1 })).toEqual(likely);
    expect(await draw({ prompts, temperature: 5 })).not.toEqual(likely);
  });

  test('previews are what is drawn so far; the last is the image', async () => {
    const seen: RgbImage[] = [];
    const options = { prompts: ['red'], seed: 3 };
    const [drawn] = await draw({ ...options, onStep: async ({ previews }) => void seen.push((await previews())[0]) });
    expect(seen.at(-1)).toEqual(drawn);
    expect(seen[0]).not.toEqual(drawn);
    expect(await draw(options)).toEqual([drawn]);
  });

  test('is cancelled between two codes', async () => {
    const controller = new AbortController();
    let steps = 0;
    const onStep = () => ++steps === 3 && controller.abort(new Error('enough'));
    await expect(draw({ prompts: ['a'], signal: controller.signal, onStep })).rejects.toThrow('enough');
    expect(steps).toBe(3);
    expect(await draw({ prompts: ['a'] })).toHaveLength(1);
  });

  test('options of denoising are refused by name, as are those of tokens where images are denoised', async () => {
    for (const given of [
      { steps: 5 },
      { scheduler: 'ddim' },
      { spacing: 'leading' },
      { eta: 0 },
      { shift: 1 },
      { guidanceInterval: [0, 0.5] },
      { guidanceRescale: 0.5 },
      { guidanceRenorm: 0 },
      { strength: 0.5 },
      { from: testPicture(1, EIGHT) },
      { mask: { ...EIGHT, data: new Float32Array(64) } },
    ] as DrawImagesOptions[]) {
      const [option] = Object.keys(given);
      await expect(draw({ ...given, prompts: ['a'] })).rejects.toThrow(
        new RegExp(`SAMPLER_OPTIONS: image.${option} is given, but this model's images are tokens.*\n.*temperature`),
      );
    }
    const diffusion = singleMindedSampler(backend, 65);
    for (const given of [{ temperature: 1 }, { topK: 2 }, { topP: 0.5 }, { minP: 0.1 }]) {
      const [option] = Object.keys(given);
      await expect(diffusion.drawImages({ prompts: ['a'], ...given })).rejects.toThrow(
        new RegExp(`SAMPLER_OPTIONS: image.${option} is given, but this model's images are denoised`),
      );
    }
    await expect(collect({ prompt: [], image: { from: testPicture(1, EIGHT) } })).rejects.toThrow(
      /image.from is given/,
    );
    await expect(draw({ prompts: ['a'], guidance: 1, negativePrompt: 'b' })).rejects.toThrow(/negativePrompt.*nothing/);
    await expect(draw({ prompts: ['a'], temperature: -1 })).rejects.toThrow(/SAMPLER_OPTIONS.*temperature/s);
    await expect(draw({ prompts: ['y'.repeat(60)] })).rejects.toThrow(/SAMPLER_CONTEXT: .* takes 78 positions/);
  });
});

test('what was left open is told, and draws the same', async () => {
  const chosen = { guidance: 2, topP: 0.9, negativePrompt: 'blurred' };
  const complete = completeImageSampling(config, chosen);
  expect(complete).toEqual({ ...chosen, temperature: 1 });
  expect(completeImageSampling(config, {})).toEqual({ temperature: 1, guidance: config.sampling.guidance });
  expect(completeImageSampling(config, complete)).toEqual(complete);
  const prompts = ['red'];
  expect(await draw({ prompts, seed: 2, ...complete })).toEqual(await draw({ prompts, seed: 2, ...chosen }));
  expect(() => completeImageSampling(config, {}, 'whole')).toThrow(/image.from is given/);
});

describe('several sizes', () => {
  const sizes = [EIGHT, { width: 4, height: 8 }];
  const tokenizer = byteTokenizer(sizes.map(imageSizeToken));
  const ids = sizes.map((size) => tokenizer.specialTokens.get(imageSizeToken(size))!);
  const textIds = tokenizer.vocabularySize;
  const announcing = tokenConfig({ vocabularySize: textIds + CODES }, { size: 8, sizes, announced: true });
  let several: Sampler;
  beforeAll(() => {
    const given = { backend, config: announcing, parameters: tinyParameters(backend, announcing), codec };
    several = createSampler({ ...given, tokenizer });
  });

  test('are announced by tokens before BOI; each image has the codes of its size', async () => {
    for (const size of sizes) {
      const steps: number[] = [];
      const given = { prompts: ['red', 'blue'], guidance: 2, size, seed: 3, negativePrompt: 'b' };
      const drawn = await several.drawImages({ ...given, onStep: (step) => steps.push(step.steps) });
      expect(drawn.map(({ width, height }) => ({ width, height }))).toEqual([size, size]);
      expect(steps).toEqual(new Array((size.width / 2) * 4).fill((size.width / 2) * 4));
      const options = { prompt: [{ text: 'red' }], forceImage: true, maxTokens: 0, seed: 3, size };
      const events = await collect({ ...options, image: { guidance: 2, negativePrompt: 'b' } }, several);
      const [image] = events.flatMap((event) => (event.type === 'image' ? [event.image] : []));
      expect(greatestDifference(image.data, drawn[0].data)).toBeLessThan(1e-5);
    }
  });

  test('an image in the prompt stands behind its token', async () => {
    const image = testPicture(2, sizes[1]);
    const [given] = await codec.encodeCodes({ ...sizes[1], images: [image.data] });
    const events = await collect({ prompt: [{ image }], maxTokens: 1, maxImages: 0 }, several);
    const before = [special.bos, ids[1], special.boi, ...codeTokens(given, { first: textIds, count: CODES })];
    const logits = (await wholeLogits([...before, special.eoi], announcing)).at(-1)!.slice(0, textIds);
    for (const id of [special.bos, special.boi, special.eoi, special.pad, ...ids])
      logits[id] = Number.NEGATIVE_INFINITY;
    expect(events[0]).toMatchObject({ type: 'token', id: logits.indexOf(Math.max(...logits)) });
  });
});

describe('documents', () => {
  test('the text after an image sees its codes, drawn or given', async () => {
    const { events, codes: given } = await (async () => {
      const options = { prompt: [{ text: 'red' }], forceImage: true, maxTokens: 3, maxImages: 1, seed: 4 };
      const events = await collect(options);
      const [image] = await codec.encodeCodes({ height: 8, width: 8, images: [testImage(1, EIGHT)] });
      return { events, codes: image };
    })();
    expect(events.map(({ type }) => type).join(' ')).toMatch(/(denoise ){16}image token token token done/);
    const continued = await collect({ prompt: [{ image: testPicture(1, EIGHT) }], maxTokens: 1, maxImages: 0 });
    const [first] = continued.flatMap((event) => (event.type === 'token' ? [event.id] : []));
    const ids = [special.bos, special.boi, ...codeTokens(given, codes), special.eoi];
    const logits = (await wholeLogits(ids)).at(-1)!.slice(0, TEXT_IDS);
    for (const id of [special.bos, special.boi, special.eoi, special.pad]) logits[id] = Number.NEGATIVE_INFINITY;
    expect(first).toBe(logits.indexOf(Math.max(...logits)));
  });

  test('codes are never written as text', async () => {
    for (let seed = 0; seed < 4; seed++) {
      const options = { prompt: [{ text: 'x' }], seed, maxTokens: 30, maxImages: 0, text: { temperature: 50 } };
      const ids = (await collect(options)).flatMap((event) => (event.type === 'token' ? [event.id] : []));
      expect(ids.length).toBeGreaterThan(0);
      expect(Math.max(...ids)).toBeLessThan(TEXT_IDS);
    }
  });

  test('captions are those that generate writes', async () => {
    const images = [1, 2, 3].map((seed) => testPicture(seed, EIGHT));
    const captions = await sampler.captionImages({ images, maxTokens: 5 });
    expect(await sampler.captionImages({ images, maxTokens: 5, maxBatch: 2 })).toEqual(captions);
    await expect(sampler.captionImages({ images, draws: 2 })).rejects.toThrow(/SAMPLER_DRAWS: .*\n.*set it to 0/);
    const events = await collect({ prompt: [{ image: images[1] }], maxTokens: 5, maxImages: 0 });
    const ids = events.flatMap((event) => (event.type === 'token' ? [event.id] : []));
    expect(byteTokenizer().decode(ids)).toBe(captions[1]);
  });
});

describe('the configuration', () => {
  const problems = (changes: object) => {
    const result = pipelineConfigSchema.safeParse({ ...config, ...changes });
    return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  };

  test('codes are the last ids', () => {
    expect(imageCodes(config)).toEqual(codes);
    expect(imageCodes(tinyConfig())).toBeUndefined();
    expect(problems({})).toEqual([]);
  });

  test('a codec without codes, and a vocabulary that does not hold them, are refused', () => {
    expect(problems({ codec: autoencoderCodec(tinyKl) })).toEqual([
      "codec.kind: must be 'vq' where model.images is tokens: other codecs have no codes",
    ]);
    expect(problems({ model: { ...config.model, vocabularySize: 16 } })).toEqual([
      'model.vocabularySize: must hold the 16 codes of the codec, and the ids of text before them',
    ]);
    expect(problems({ model: { ...config.model, patchValues: 4 } })[0]).toMatch(/^model.images: /);
  });

  test('a tokenizer whose ids are those of codes is refused', () => {
    const ids = byteTokenizer().vocabularySize;
    const small = tokenConfig({ vocabularySize: ids + CODES - 1 });
    const given = { backend, config: small, parameters, tokenizer: byteTokenizer(), codec };
    expect(() => createSampler(given)).toThrow(
      new RegExp(`SAMPLER_TOKENIZER: the tokenizer has ${ids} ids, .* ${ids - 1} for text`),
    );
  });
});

describe('a plain language model', () => {
  const plain = tinyConfig({ model: { ...tokenConfig().model, vocabularySize: TEXT_IDS, images: 'none' } });

  test('writes, and never begins an image', async () => {
    const wantsImage = singleMindedSampler(backend, special.boi, plain);
    const events = await collect({ prompt: [{ text: 'a' }], maxTokens: 3 }, wantsImage);
    expect(events.map(({ type }) => type)).toEqual(['token', 'token', 'token', 'done']);
  });

  test('says that it knows no images', async () => {
    const writer = singleMindedSampler(backend, 65, plain);
    const image = testPicture(1);
    await expect(writer.drawImages({ prompts: ['a'] })).rejects.toThrow(/SAMPLER_NO_IMAGES/);
    await expect(writer.captionImages({ images: [image] })).rejects.toThrow(/SAMPLER_NO_IMAGES/);
    await expect(collect({ prompt: [], forceImage: true }, writer)).rejects.toThrow(/SAMPLER_NO_IMAGES/);
    await expect(collect({ prompt: [{ image }] }, writer)).rejects.toThrow(/SAMPLER_NO_IMAGES/);
  });
});
