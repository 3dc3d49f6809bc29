/** @file Models of several image sizes: the cache, what the model may write, whose size counts, and what is refused. */
import { type Document, formatImageSize, type ImagePart, type ImageSize, imageSizeToken } from '@transfusion/data';
import type { Backend, Variable } from '@transfusion/tensor';
import type { TransfusionParameters } from '@transfusion/transformer';
import { createCodec } from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';
import { imageLayout, imageSizes, type PipelineConfig } from './config.js';
import type { GenerateOptions, SamplerEvent } from './generate.js';
import { createSampler, type Sampler } from './sampler.js';
import { SequenceBatch } from './sequence-batch.js';
import { greatestDifference, wholeSequence } from './testing/reference-forward.js';
import {
  byteTokenizer,
  severalSizes,
  singleMindedSampler,
  testImage,
  testPicture,
  tinyParameters,
  tinySampler,
  tokenizerOf,
} from './testing/tiny-model.js';

const config = severalSizes();
const free = severalSizes({ announced: false });
const [square, wide, high] = imageSizes(config.image);
const tokenizer = tokenizerOf(config);
const { bos, boi, eoi, eos } = tokenizer.special;
const tokenOf = (size: ImageSize) => tokenizer.specialTokens.get(imageSizeToken(size))!;
const ids = (text: string) => tokenizer.encode(text);
const latentOf = (size: ImageSize) => imageLayout(config, size).latent;
const TOLERANCE = 1e-4;

let backend: Backend;
let parameters: TransfusionParameters<Variable>;
let announcing: Sampler;
let choosing: Sampler;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
  parameters = tinyParameters(backend, config);
  announcing = tinySampler(backend, config);
  choosing = tinySampler(backend, free);
});
afterAll(() => backend.dispose());

async function collect(options: GenerateOptions, from = announcing): Promise<SamplerEvent[]> {
  const events: SamplerEvent[] = [];
  for await (const event of from.generate(options)) events.push(event);
  return events;
}
const sizesOf = (events: SamplerEvent[]) =>
  events.flatMap((event) => (event.type === 'image' ? [formatImageSize(event.image)] : []));
const imageOf = (size: ImageSize, seed: number, announced = true): ImagePart => ({
  ...{ kind: 'image', ...latentOf(size), latents: testImage(seed, size) },
  ...(announced ? { sizeToken: tokenOf(size) } : {}),
});

describe.each([true, false])('images of three sizes in one row, announced: %s', (announced) => {
  const document: Document = {
    parts: [
      { kind: 'text', ids: [bos, ...ids('a')] },
      imageOf(wide, 1, announced),
      { kind: 'text', ids: ids('b') },
      imageOf(square, 2, announced),
      imageOf(high, 3, announced),
      { kind: 'text', ids: [...ids('c'), eos] },
    ],
  };
  const opening = (size: ImageSize) => (announced ? [tokenOf(size), boi] : [boi]);

  test('decoding with a cache equals one pass over the whole sequence', async () => {
    const whole = await wholeSequence({ backend, config, parameters, document, timesteps: [0, 0, 0] });
    const batch = new SequenceBatch({ backend, config: config.model, parameters, rows: 1, capacity: 64 });
    const compare = async (tokens: number[]) => {
      const logits = await batch.appendTokensAlone(0, tokens);
      expect(greatestDifference(logits, whole.logits[batch.length(0) - 1])).toBeLessThan(TOLERANCE);
    };
    const append = (size: ImageSize, seed: number) =>
      batch.appendImages(new Map([[0, testImage(seed, size)]]), latentOf(size));
    await compare([bos, ...ids('a'), ...opening(wide)]);
    await append(wide, 1);
    await compare([eoi, ...ids('b'), ...opening(square)]);
    await append(square, 2);
    await compare([eoi, ...opening(high)]);
    await append(high, 3);
    await compare([eoi, ...ids('c'), eos]);
    expect(batch.length(0)).toBe(whole.logits.length);
    batch.dispose();
  });

  test('so does denoising, and two sizes of as many patches are not the same', async () => {
    const batch = new SequenceBatch({ backend, config: config.model, parameters, rows: 1, capacity: 64 });
    await batch.appendTokensAlone(0, [bos, ...ids('a'), ...opening(wide)]);
    for (const size of [wide, high, square]) {
      const parts = document.parts.slice(0, 1);
      const image = { ...imageOf(wide, 5, announced), ...latentOf(size), latents: testImage(5, size) };
      const whole = await wholeSequence({
        ...{ backend, config, parameters, timesteps: [700] },
        document: { parts: [...parts, image] },
      });
      const predicted = await batch.predictImages(new Map([[0, testImage(5, size)]]), 700, latentOf(size));
      expect(greatestDifference(predicted.get(0)!, whole.predictions[0])).toBeLessThan(TOLERANCE);
    }
    const asWide = await batch.predictImages(new Map([[0, testImage(5, wide)]]), 700, latentOf(wide));
    const asHigh = await batch.predictImages(new Map([[0, testImage(5, wide)]]), 700, latentOf(high));
    expect(greatestDifference(asWide.get(0)!, asHigh.get(0)!)).toBeGreaterThan(0.01);
    batch.dispose();
  });
});

describe('a model that announces sizes', () => {
  test('draws the size whose token it writes, and BOI alone never comes', async () => {
    for (const size of [square, wide, high]) {
      const wanting = singleMindedSampler(backend, tokenOf(size), config);
      const options = { prompt: [{ text: 'x' }], maxTokens: 3, maxImages: 2, image: { steps: 1 } };
      expect(sizesOf(await collect(options, wanting))).toEqual([formatImageSize(size), formatImageSize(size)]);
      wanting.dispose();
    }
    const eager = singleMindedSampler(backend, boi, config);
    const events = await collect({ prompt: [{ text: 'x' }], maxTokens: 3, maxImages: 2 }, eager);
    expect(sizesOf(events)).toEqual([]);
    // Neither BOI nor a size token is ever among the tokens of a text.
    expect(events.flatMap((event) => (event.type === 'token' ? [event.id] : []))).toEqual([0, 0, 0]);
    eager.dispose();
  });

  test('a size that does not fit any more is not chosen, another one is', async () => {
    const wanting = singleMindedSampler(backend, tokenOf(wide), config);
    const parts = (free: number) => [{ text: 'x'.repeat(config.model.maxPositions - 1 - free) }];
    const write = (free: number) => collect({ prompt: parts(free), maxTokens: 2, image: { steps: 1 } }, wanting);
    // SIZE BOI, 8 patches, EOI.
    expect(sizesOf(await write(11))).toEqual(['8x4']);
    expect(sizesOf(await write(10))).toEqual([]);
    // Forced, EOI need not fit; nor does the wide one, so that the square one is all there is.
    const force = (free: number) => collect({ prompt: parts(free), forceImage: true, image: { steps: 1 } }, wanting);
    expect(sizesOf(await force(10))).toEqual(['8x4']);
    expect(sizesOf(await force(9))).toEqual(['4x4']);
    expect(sizesOf(await force(6))).toEqual(['4x4']);
    await expect(force(5)).rejects.toThrow(
      /SAMPLER_CONTEXT: the prompt with its image takes 65 positions.*shorten its text by 1 tokens or more \(images take 6 positions\)/s,
    );
    wanting.dispose();
  });

  test('drawImages takes the size that is most likely after each caption, and draws what generate draws', async () => {
    const prompts = ['red', 'a', 'blue sky', 'zebra', 'x', 'hm', ''];
    const options = { steps: 2, guidance: 2 };
    const drawn = await announcing.drawImages({ prompts, seed: 3, ...options, maxBatch: 3 });
    const expected: string[] = [];
    for (const prompt of prompts) {
      const document: Document = { parts: [{ kind: 'text', ids: [bos, ...ids(prompt)] }] };
      const { logits } = await wholeSequence({ backend, config, parameters, document, timesteps: [0] });
      const likely = [square, wide, high].sort((a, b) => logits.at(-1)![tokenOf(b)] - logits.at(-1)![tokenOf(a)]);
      expected.push(formatImageSize(likely[0]));
    }
    expect(drawn.map(formatImageSize)).toEqual(expected);
    // Otherwise nothing is shown.
    expect(new Set(expected).size).toBeGreaterThan(1);
    drawn.forEach(({ width, height, data }) => {
      expect(data).toHaveLength(width * height * 3);
    });
    const forced = { forceImage: true, maxTokens: 0, maxImages: 1, seed: 3, image: options };
    const [image] = (await collect({ prompt: [{ text: prompts[0] }], ...forced })).flatMap((event) =>
      event.type === 'image' ? [event.image] : [],
    );
    expect(formatImageSize(image)).toBe(expected[0]);
    expect(greatestDifference(image.data, drawn[0].data)).toBeLessThan(TOLERANCE);
    // Batches of one size change nothing.
    const alone = await announcing.drawImages({ prompts, seed: 3, ...options });
    alone.forEach((each, i) => {
      expect(greatestDifference(each.data, drawn[i].data)).toBeLessThan(TOLERANCE);
    });
  });

  test('the caller may choose among its sizes, and the token of that size stands in the sequence', async () => {
    const prompts = ['red', 'blue'];
    const draw = (of: Sampler, size: ImageSize) => of.drawImages({ prompts, size, seed: 1, steps: 2, guidance: 1 });
    const drawn = await draw(announcing, high);
    expect(drawn.map(formatImageSize)).toEqual(['4x8', '4x8']);
    // With the same weights and noise, but without SIZE before BOI.
    const silent = await draw(choosing, high);
    expect(greatestDifference(drawn[0].data, silent[0].data)).toBeGreaterThan(0.01);
    const events = await collect({
      ...{ prompt: [{ text: 'red' }], size: high, forceImage: true, maxTokens: 0 },
      ...{ seed: 1, image: { steps: 2, guidance: 1 } },
    });
    expect(sizesOf(events)).toEqual(['4x8']);
    const wanting = singleMindedSampler(backend, tokenOf(wide), config);
    const others = await collect({ prompt: [], size: high, maxTokens: 2, image: { steps: 1 } }, wanting);
    expect(sizesOf(others)).toEqual([]);
    wanting.dispose();
  });

  test('guidance is towards nothing of the same size: with weight 0, no caption matters', async () => {
    for (const size of [wide, high]) {
      const draw = (guidance: number, prompt: string) =>
        announcing.drawImages({ prompts: [prompt], size, guidance, steps: 2, seed: 5 });
      const [[unguided], [nothing]] = [await draw(0, 'red'), await draw(1, '')];
      expect(greatestDifference(unguided.data, nothing.data)).toBeLessThan(TOLERANCE);
    }
  });

  test('in one document each image has the unconditional context of its own size', async () => {
    let compared = 0;
    for (let seed = 0; seed < 12 && compared < 2; seed++) {
      const events = await collect({
        ...{ prompt: [{ text: 'red' }], forceImage: true, maxTokens: 8, maxImages: 2, seed, text: { temperature: 3 } },
        image: { steps: 2, guidance: 0 },
      });
      const images = events.flatMap((event) => (event.type === 'image' ? [event.image] : []));
      if (new Set(images.map(formatImageSize)).size < 2) continue;
      compared++;
      for (const [i, { width, height, data }] of images.entries()) {
        const prompts = ['', ''];
        const drawn = await announcing.drawImages({ prompts, size: { width, height }, guidance: 1, steps: 2, seed });
        expect(greatestDifference(data, drawn[i].data)).toBeLessThan(TOLERANCE);
      }
    }
    expect(compared).toBe(2);
  });

  test('its previews have the size of what is drawn', async () => {
    const prompts = ['red', 'a', 'blue sky', 'zebra'];
    const seen = new Map<number, string>();
    const drawn = await announcing.drawImages({
      ...{ prompts, steps: 2 },
      onStep: async ({ indices, previews }) => {
        (await previews()).forEach((preview, i) => {
          seen.set(indices[i], formatImageSize(preview));
        });
      },
    });
    expect([...seen].sort(([a], [b]) => a - b)).toEqual(drawn.map((image, i) => [i, formatImageSize(image)]));
  });
});

describe('a model of several sizes that does not announce them', () => {
  test('draws its own size, or any that divides into patches', async () => {
    const draw = async (size?: ImageSize) => {
      const [image] = await choosing.drawImages({ prompts: ['red'], size, steps: 1 });
      const events = await collect({ prompt: [], size, forceImage: true, maxTokens: 0, image: { steps: 1 } }, choosing);
      expect(sizesOf(events)).toEqual([formatImageSize(image)]);
      return formatImageSize(image);
    };
    expect(await draw()).toBe('4x4');
    for (const size of [wide, high, { width: 6, height: 2 }, { width: 2, height: 10 }]) {
      expect(await draw(size)).toBe(formatImageSize(size));
    }
    await expect(draw({ width: 7, height: 4 })).rejects.toThrow(
      /SAMPLER_IMAGE_SIZE: size is 7x4; width and height must be multiples of 2\s+fix: ask for 8x4/,
    );
  });

  test('functions of many sizes are not all kept', async () => {
    const own = tinySampler(backend, free);
    const draw = (width: number) =>
      own.drawImages({ prompts: [''], size: { width, height: 2 }, steps: 1, guidance: 1 });
    const live: number[] = [];
    for (let width = 2; width <= 48; width += 2) {
      await draw(width);
      live.push(backend.stats().liveBuffers);
    }
    expect(live.at(-1)).toBe(live[16]);
    expect(live[4]).toBeGreaterThan(live[0]);
    own.dispose();
  });
});

describe('what does not fit into the context', () => {
  // BOS, BOI and 8 x 8 patches are 66 positions of 64; of 4 x 8 patches with BOI 33.
  const [big, tall] = [
    { width: 16, height: 16 },
    { width: 8, height: 16 },
  ];
  const prompt = 'x'.repeat(40);

  test('of the size that is asked for: a shorter text, or a smaller size where no text is short enough', async () => {
    const shorter = /takes 74 positions, the model has 64.*shorten its text by 10 tokens or more \(images take 33/s;
    const smaller = /choose a smaller image size, .*even with the shortest text they take 66 positions/;
    const force = (size: ImageSize, text: string) =>
      collect({ prompt: [{ text }], size, forceImage: true, image: { steps: 1, guidance: 1 } }, choosing);
    await expect(choosing.drawImages({ prompts: [prompt], size: tall })).rejects.toThrow(shorter);
    await expect(force(tall, prompt)).rejects.toThrow(shorter);
    await expect(choosing.drawImages({ prompts: ['x'], size: big })).rejects.toThrow(smaller);
    await expect(force(big, 'x')).rejects.toThrow(smaller);
    const image = { steps: 1, negativePrompt: 'x' };
    await expect(collect({ prompt: [{ text: 'x' }], size: big, image }, choosing)).rejects.toThrow(smaller);
    await expect(collect({ prompt: [{ text: 'x'.repeat(70) }] }, choosing)).rejects.toThrow(/by 7 tokens or more$/);
  });
});

describe('images that are read', () => {
  test('of any of its sizes, in prompts and to be described; captions come back in order', async () => {
    const images = [wide, square, high, square, wide].map((size, i) => testPicture(i, size));
    for (const sampler of [announcing, choosing]) {
      const captions = await sampler.captionImages({ images, maxTokens: 4, maxBatch: 2 });
      const alone: string[] = [];
      for (const image of images) {
        alone.push(...(await sampler.captionImages({ images: [image], maxTokens: 4 })));
        const events = await collect({ prompt: [{ image }], maxTokens: 4, maxImages: 0 }, sampler);
        const written = events.flatMap((event) => (event.type === 'token' ? [event.id] : []));
        expect(tokenizer.decode(written)).toBe(alone.at(-1));
      }
      expect(captions).toEqual(alone);
      expect(new Set(captions).size).toBeGreaterThan(1);
    }
  });

  test('other sizes are refused by name', async () => {
    const image = testPicture(1, { width: 8, height: 8 });
    const refused =
      /SAMPLER_IMAGE_SIZE: an image is 8 x 8 pixels, the model was trained on 4x4, 8x4, 4x8 \(width x height\)\s+fix: resize it to one of these/;
    await expect(choosing.captionImages({ images: [image] })).rejects.toThrow(refused);
    await expect(collect({ prompt: [{ image }] })).rejects.toThrow(refused);
  });
});

describe('refused', () => {
  test('sizes that the model does not draw', async () => {
    const size = { width: 6, height: 4 };
    await expect(announcing.drawImages({ prompts: ['a'], size })).rejects.toThrow(
      /SAMPLER_IMAGE_SIZE: size is 6x4, which the model does not draw: it announces 4x4, 8x4, 4x8\s+fix: ask for 4x4, 8x4 or 4x8/,
    );
    const one = tinySampler(backend);
    await expect(collect({ prompt: [], size }, one)).rejects.toThrow(
      /does not draw: it was trained on 4x4\s+fix: ask for 4x4$/,
    );
    for (const wrong of [{ width: 0, height: 4 }, { width: 4.5, height: 4 }, { width: 4 } as ImageSize]) {
      await expect(choosing.drawImages({ prompts: ['a'], size: wrong })).rejects.toThrow(/SAMPLER_OPTIONS.*size/s);
    }
  });

  test('a tokenizer without the tokens of the sizes, or with others', () => {
    const open = (of: PipelineConfig, spellings: string[]) =>
      createSampler({
        backend,
        config: of,
        parameters,
        tokenizer: byteTokenizer(spellings),
        codec: createCodec(of.codec),
      });
    const all = imageSizes(config.image).map(imageSizeToken);
    expect(() => open(config, all.slice(0, 1))).toThrow(
      /SAMPLER_TOKENIZER: the tokenizer has no <\|image:8x4\|>, <\|image:4x8\|> \(image sizes: 4x4, 8x4, 4x8\)/,
    );
    const fewer = severalSizes({ sizes: [square, wide] });
    expect(() => open(fewer, all)).toThrow(/the tokenizer has <\|image:4x8\|>, and no image is of that size/);
    // Where nothing is announced they are not looked at, and never written.
    expect(() => open(free, all)).not.toThrow();
  });
});

test('size tokens are not written where sizes are not announced', async () => {
  const wanting = singleMindedSampler(backend, tokenOf(wide), free);
  const own = createSampler({ backend, config: free, parameters, tokenizer, codec: createCodec(free.codec) });
  for (const sampler of [wanting, own]) {
    const events = await collect({ prompt: [], maxTokens: 20, maxImages: 0, text: { temperature: 30 } }, sampler);
    const written = events.flatMap((event) => (event.type === 'token' ? [event.id] : []));
    expect(written.filter((id) => id >= 256 && id !== eos)).toEqual([]);
  }
});
