import type { DocumentPart, RgbImage } from '@transfusion/data';
import type { Backend } from '@transfusion/tensor';
import { createCodec } from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';
import { BeamSearch } from './beam-search.js';
import { imageLayout } from './config.js';
import type { GenerateOptions, SamplerEvent } from './generate.js';
import { initialNoise } from './noise.js';
import { createSampler, type Sampler } from './sampler.js';
import { SequenceBatch } from './sequence-batch.js';
import { greatestDifference, wholeSequence } from './testing/reference-forward.js';
import {
  byteTokenizer,
  singleMindedParameters,
  singleMindedSampler,
  testPicture,
  tinyConfig,
  tinyParameters,
  tinySampler,
} from './testing/tiny-model.js';

let backend: Backend;
let sampler: Sampler;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
  sampler = tinySampler(backend);
});
afterAll(() => backend.dispose());

async function collect(options: GenerateOptions, from = sampler): Promise<SamplerEvent[]> {
  const events: SamplerEvent[] = [];
  for await (const event of from.generate(options)) events.push(event);
  return events;
}
const kinds = (events: SamplerEvent[]) => events.map(({ type }) => type).join(' ');
const imagesOf = (events: SamplerEvent[]) => events.flatMap((event) => (event.type === 'image' ? [event.image] : []));

describe('generate', () => {
  test('draws a forced image, then goes on with text', async () => {
    const events = await collect({ prompt: [{ text: 'red' }], forceImage: true, maxTokens: 3, maxImages: 1 });
    expect(kinds(events)).toBe('denoise denoise denoise denoise image token token token done');
    expect(events[3]).toEqual({ type: 'denoise', step: 4, steps: 4 });
    const [image] = imagesOf(events);
    expect(image).toEqual({ width: 4, height: 4, data: expect.any(Float32Array) });
    expect(image.data).toHaveLength(48);
    expect(image.data.every((value) => Math.abs(value) <= 1)).toBe(true);
    const done = events.at(-1);
    const text = events.map((event) => (event.type === 'token' ? event.text : '')).join('');
    expect(done).toMatchObject({ type: 'done', reason: 'maxTokens' });
    expect(done?.type === 'done' && done.parts[0]).toEqual({ image });
    expect(
      done?.type === 'done' && done.parts.flatMap((part) => ('text' in part ? [part.text] : [])).join(''),
    ).toContain(text);
  });

  test('the same seed gives the same document, another seed another one', async () => {
    const options = {
      prompt: [{ text: 'a' }, { image: testPicture(1) }, { text: 'b' }],
      ...{ maxTokens: 6, maxImages: 1, forceImage: true, text: { temperature: 1.5, topP: 0.95 } },
      image: { scheduler: 'ddpm', steps: 3 },
    } as const;
    const first = await collect({ ...options, seed: 7 });
    const again = await collect({ ...options, seed: 7 }, tinySampler(backend));
    expect(again).toEqual(first);
    const other = await collect({ ...options, seed: 8 });
    expect(imagesOf(other)[0]).not.toEqual(imagesOf(first)[0]);
    expect(other.filter(({ type }) => type === 'token')).not.toEqual(first.filter(({ type }) => type === 'token'));
  });

  test('EOI, padding and BOS are never sampled, BOI only while images may come', async () => {
    const { bos, eoi, pad, boi } = byteTokenizer().special;
    for (let seed = 0; seed < 4; seed++) {
      const options = { prompt: [{ text: 'x' }], seed, maxTokens: 30, text: { temperature: 20 } };
      const events = await collect({ ...options, maxImages: 0 });
      const ids = events.flatMap((event) => (event.type === 'token' ? [event.id] : []));
      expect(ids.some((id) => [bos, eoi, pad, boi].includes(id) || id > pad)).toBe(false);
      expect(imagesOf(events)).toHaveLength(0);
    }
  });

  test('BOI switches to diffusion, as often as images are allowed', async () => {
    const { special } = byteTokenizer();
    const events = await collect(
      { prompt: [], maxTokens: 4, maxImages: 2, image: { steps: 2 } },
      singleMindedSampler(backend, special.boi),
    );
    expect(kinds(events)).toMatch(/^denoise denoise image denoise denoise image token token token token done$/);
    expect(imagesOf(events)[0]).not.toEqual(imagesOf(events)[1]);
  });

  test('two images in the prompt, two that are written: each sees all that stands before it, as in one whole sequence', async () => {
    const { special } = byteTokenizer();
    const diffusion = { schedule: 'flow', parameterisation: 'flow' } as const;
    const config = tinyConfig({ diffusion, sampling: { scheduler: 'euler' } });
    const seed = 6;
    const events = await collect(
      {
        prompt: [{ image: testPicture(1) }, { text: 'and' }, { image: testPicture(2) }, { text: 'so' }],
        ...{ forceImage: true, maxTokens: 3, maxImages: 2, seed, image: { steps: 1, guidance: 1 } },
      },
      singleMindedSampler(backend, special.boi, config),
    );
    expect(kinds(events)).toMatch(/^denoise image denoise image token token token done$/);
    const drawn = imagesOf(events);
    // The same weights without a cache: an image of one step is the noise plus the velocity from there.
    const parameters = singleMindedParameters(backend, special.boi, config);
    const text = (words: string) => ({ kind: 'text' as const, ids: byteTokenizer().encode(words) });
    const image = (latents: Float32Array) => ({ kind: 'image' as const, height: 4, width: 4, latents });
    const parts: DocumentPart[] = [
      ...[{ kind: 'text' as const, ids: [special.bos] }, image(testPicture(1).data), text('and')],
      ...[image(testPicture(2).data), text('so')],
    ];
    for (const [index, each] of drawn.entries()) {
      const noise = initialNoise(imageLayout(config), seed, index);
      const timesteps = [...parts.filter(({ kind }) => kind === 'image').map(() => 0), 999];
      const document = { parts: [...parts, image(noise)] };
      const { predictions } = await wholeSequence({ backend, config, parameters, document, timesteps });
      const latents = noise.map((value, i) => value + predictions.at(-1)![i]);
      const shown = latents.map((value) => Math.min(Math.max(value, -1), 1));
      expect(greatestDifference(each.data, shown)).toBeLessThan(1e-3);
      expect(shown.filter((value) => Math.abs(value) < 1).length).toBeGreaterThan(5);
      // What is drawn next sees the latents as they are, not as they are shown.
      parts.push(image(latents));
    }
  });

  test('ends at EOS, at a stop text, at the end of the context', async () => {
    const { special } = byteTokenizer();
    expect(await collect({ prompt: [{ text: 'a' }] }, singleMindedSampler(backend, special.eos))).toEqual([
      { type: 'done', parts: [], reason: 'eos' },
    ]);
    const repeating = singleMindedSampler(backend, 65);
    const stopped = await collect({ prompt: [], stop: ['AAA', 'zz'], maxImages: 0 }, repeating);
    expect(kinds(stopped)).toBe('token token token done');
    expect(stopped.at(-1)).toEqual({ type: 'done', parts: [], reason: 'stop' });
    const full = await collect({ prompt: [{ text: 'abc' }], maxImages: 0 }, repeating);
    // 64 positions, 4 of them the prompt's; the token after the last position is written too.
    expect(full.at(-1)).toEqual({ type: 'done', parts: [{ text: 'A'.repeat(60) }], reason: 'context' });
  });

  test('the texts of the events are those of the parts, whatever is written and wherever it stops', async () => {
    const reasons = new Set<string>();
    for (let seed = 0; seed < 24; seed++) {
      const events = await collect({
        ...{ prompt: [{ text: 'x' }], seed, maxTokens: 12, maxImages: 2, image: { steps: 1 } },
        text: { temperature: 3 },
        stop: seed % 2 === 0 ? [...'abcdefghijklmnopqrstuvwxyz'] : ['\ufffd\ufffd', 'zz'],
      });
      const texts = [''];
      for (const event of events) {
        if (event.type === 'image') texts.push('');
        if ('text' in event) texts[texts.length - 1] += event.text;
      }
      const done = events.at(-1)!;
      if (done.type !== 'done') throw new Error('the last event is not done');
      reasons.add(done.reason);
      const written = done.parts.flatMap((part) => ('text' in part ? [part.text] : []));
      expect(texts.filter((text) => text !== '')).toEqual(written);
    }
    expect([...reasons]).toEqual(expect.arrayContaining(['stop', 'maxTokens']));
  });

  test('gives previews of the clean image', async () => {
    const events = await collect({ prompt: [], forceImage: true, maxTokens: 0, previewEvery: 2, image: { steps: 5 } });
    const previews = events.map((event) => event.type === 'denoise' && event.preview !== undefined);
    expect(previews).toEqual([false, true, false, true, false, false, false]);
    expect(events[1]).toMatchObject({ preview: { width: 4, height: 4, data: expect.any(Float32Array) } });
  });

  test('is cancelled between two steps, and by leaving the loop; the batch is free again', async () => {
    const controller = new AbortController();
    const seen: string[] = [];
    const run = async () => {
      const options = { prompt: [], forceImage: true, image: { steps: 50 }, signal: controller.signal };
      for await (const event of sampler.generate(options)) {
        seen.push(event.type);
        if (seen.length === 3) controller.abort(new Error('enough'));
      }
    };
    await expect(run()).rejects.toThrow('enough');
    expect(seen).toHaveLength(3);
    for await (const event of sampler.generate({ prompt: [], forceImage: true })) if (event.type === 'denoise') break;
    const { liveBytes } = backend.stats();
    const events = await collect({ prompt: [], forceImage: true, maxTokens: 0 });
    expect(imagesOf(events)).toHaveLength(1);
    expect(backend.stats().liveBytes).toBe(liveBytes);
  });

  test('leaves the event loop its turns: timers and signals can cancel', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('timer')), 20);
    const prompts = ['a', 'b'];
    await expect(sampler.drawImages({ prompts, steps: 1000, signal: controller.signal })).rejects.toThrow('timer');
  });

  test('two documents at the same time do not disturb each other', async () => {
    const options = (text: string) => ({ prompt: [{ text }], forceImage: true, maxTokens: 4, seed: 3 });
    const apart = [await collect(options('one')), await collect(options('two'))];
    const together = await Promise.all([collect(options('one')), collect(options('two'))]);
    expect(together).toEqual(apart);
  });

  test.each([
    ['empty', ''],
    ['NUL', 'a\0b'],
    ['unpaired surrogates', 'a\ud800b\udc00'],
    ['typed control tokens', '<|boi|><|eos|><boi>'],
  ])('takes a prompt with %s', async (_, text) => {
    const events = await collect({ prompt: [{ text }], maxTokens: 2, maxImages: 0 });
    expect(events.at(-1)?.type).toBe('done');
  });

  test('says the limit when a prompt is too long, and what is wrong with options', async () => {
    const long = 'x'.repeat(64);
    await expect(collect({ prompt: [{ text: long }] })).rejects.toThrow(
      /SAMPLER_CONTEXT: the prompt takes 65 positions, the model has 64/,
    );
    await expect(collect({ prompt: [{ text: long.slice(0, 60) }], forceImage: true })).rejects.toThrow(
      /SAMPLER_CONTEXT: the prompt with its image takes 66 positions, the model has 64/,
    );
    const image = { width: 4, height: 4, data: new Float32Array(3) };
    await expect(collect({ prompt: [{ image }] })).rejects.toThrow(/CODEC_SHAPE.*3 values/);
    await expect(collect({ prompt: [{ image: { ...image, width: 8 } }] })).rejects.toThrow(
      /SAMPLER_IMAGE_SIZE: an image is 8 x 4 pixels, the model was trained on 4x4 /,
    );
    await expect(collect({ prompt: [], seed: -1 })).rejects.toThrow(/SAMPLER_OPTIONS.*seed/s);
    await expect(collect({ prompt: [], maxToken: 3 } as never)).rejects.toThrow(/SAMPLER_OPTIONS.*maxToken/s);
    await expect(collect({ prompt: [], text: { temperature: -1 } })).rejects.toThrow(/SAMPLER_OPTIONS.*temperature/s);
    await expect(collect({ prompt: [], maxToken: 1 } as never)).rejects.toThrow(
      /SAMPLER_OPTIONS: generate has a problem:\n {2}maxToken: unknown key; did you mean "maxTokens"\?/,
    );
  });
});

describe('guidance', () => {
  const draw = (guidance: number, prompts: string[]) => sampler.drawImages({ prompts, guidance, steps: 3, seed: 5 });

  test('below 0 it leads elsewhere', async () => {
    const [unguided, [red], [away]] = [await draw(0, ['red']), await draw(1, ['red']), await draw(-1, ['red'])];
    for (const other of [unguided[0], red]) expect(greatestDifference(away.data, other.data)).toBeGreaterThan(0.01);
  });

  test('1 is the conditional prediction; 0 knows nothing of the text', async () => {
    const [red, blue] = await draw(1, ['red', 'a blue one']);
    expect(greatestDifference(red.data, blue.data)).toBeGreaterThan(0.01);
    // Image i starts from noise i: the same slot is compared.
    const [unguided] = await draw(0, ['red', 'x']);
    const [other] = await draw(0, ['a blue one', 'x']);
    const [nothing] = await draw(1, ['', 'x']);
    expect(unguided).toEqual(other);
    expect(greatestDifference(unguided.data, nothing.data)).toBeLessThan(1e-4);
    const [guided] = await draw(3, ['red', 'x']);
    expect(greatestDifference(guided.data, red.data)).toBeGreaterThan(0.01);
  });
});

test.each([
  ['NaN', Number.NaN],
  // Clamped, it would look like a picture.
  ['Infinity', Number.POSITIVE_INFINITY],
])('a prediction of %s is an error that says where it arose, not a picture', async (name, value) => {
  const config = tinyConfig();
  const parameters = tinyParameters(backend, config);
  parameters.patchOut!.bias.write(new Float32Array(config.model.patchValues).fill(value, 5, 6));
  const codec = createCodec(config.codec);
  const broken = createSampler({ backend, config, parameters, tokenizer: byteTokenizer(), codec });
  await expect(broken.drawImages({ prompts: ['a', 'b'], guidance: 1 })).rejects.toThrow(
    new RegExp(`SAMPLER_NOT_FINITE: image 1 of 2: value 5 of the model's prediction in step 1 of 4 is ${name}`),
  );
  const forced = { prompt: [], forceImage: true, image: { guidance: 1 } };
  await expect(collect(forced, broken)).rejects.toThrow(/SAMPLER_NOT_FINITE/);
});

describe('drawImages', () => {
  test('draws what generate draws, whatever the size of the batches', async () => {
    const prompts = ['red', '', 'a longer caption'];
    const image = { steps: 3, guidance: 2 };
    const seen: string[] = [];
    const onStep = ({ step, steps }: { step: number; steps: number }) => seen.push(`${step}/${steps}`);
    const together = await sampler.drawImages({ prompts, seed: 9, ...image, onStep });
    expect(seen).toEqual(['1/3', '2/3', '3/3']);
    const inPairs = await sampler.drawImages({ prompts, seed: 9, ...image, maxBatch: 2 });
    together.forEach((each, i) => expect(greatestDifference(each.data, inPairs[i].data)).toBeLessThan(1e-4));
    const events = await collect({ prompt: [{ text: 'red' }], forceImage: true, maxTokens: 0, seed: 9, image });
    expect(greatestDifference(imagesOf(events)[0].data, together[0].data)).toBeLessThan(1e-4);
    expect(await sampler.drawImages({ prompts: [] })).toEqual([]);
  });

  test('gives previews to whoever asks, which change nothing', async () => {
    const options = { prompts: ['red', 'blue', 'x'], maxBatch: 2, steps: 3, guidance: 2, seed: 9 };
    const drawn = await sampler.drawImages(options);
    const seen: [indices: readonly number[], previews: RgbImage[]][] = [];
    const again = await sampler.drawImages({
      ...options,
      onStep: async ({ indices, previews }) => void seen.push([indices, await previews()]),
    });
    expect(again).toEqual(drawn);
    expect(seen.map(([indices, previews]) => [indices, previews.length])).toEqual([
      ...Array(3).fill([[0, 1], 2]),
      ...Array(3).fill([[2], 1]),
    ]);
    // The last step of DDIM ends at its estimate.
    [...seen[2][1], ...seen[5][1]].forEach((each, i) => {
      expect(greatestDifference(each.data, drawn[i].data)).toBeLessThan(1e-5);
    });
    expect(greatestDifference(seen[0][1][0].data, drawn[0].data)).toBeGreaterThan(0.01);
  });

  test('is ended by what its callback throws', async () => {
    const prompts = ['red'];
    const onStep = () => Promise.reject(new Error('enough seen'));
    await expect(sampler.drawImages({ prompts, onStep })).rejects.toThrow('enough seen');
    expect(await sampler.drawImages({ prompts })).toHaveLength(1);
  });

  test('an image depends on its own prompt only, bit for bit', async () => {
    const first = await sampler.drawImages({ prompts: ['red', 'blue'], steps: 2 });
    const second = await sampler.drawImages({ prompts: ['red', 'cyan'], steps: 2 });
    expect(second[0]).toEqual(first[0]);
    expect(second[1]).not.toEqual(first[1]);
  });

  test('is cancelled, and names the prompt that is too long', async () => {
    const cancelled = sampler.drawImages({ prompts: ['a'], signal: AbortSignal.abort(new Error('enough')) });
    await expect(cancelled).rejects.toThrow('enough');
    await expect(sampler.drawImages({ prompts: ['a', 'y'.repeat(70)] })).rejects.toThrow(
      /SAMPLER_CONTEXT: the prompt "y{37}\.\.\." with its image takes 76 positions/,
    );
  });
});

describe('captionImages', () => {
  const images = [1, 2, 3].map((seed) => testPicture(seed));

  test('captions as generate does, greedily, whatever the size of the batches', async () => {
    const captions = await sampler.captionImages({ images, maxTokens: 5 });
    expect(captions).toHaveLength(3);
    expect(await sampler.captionImages({ images, maxTokens: 5, maxBatch: 2 })).toEqual(captions);
    const events = await collect({ prompt: [{ image: images[1] }], maxTokens: 5, maxImages: 0 });
    const ids = events.flatMap((event) => (event.type === 'token' ? [event.id] : []));
    expect(byteTokenizer().decode(ids)).toBe(captions[1]);
  });

  test('beams: what a search finds that reads every beginning anew, whatever the size of the batches', async () => {
    const beams = 3;
    const options = { images, maxTokens: 6, beams };
    const captions = await sampler.captionImages(options);
    expect(await sampler.captionImages({ ...options, maxBatch: 3 })).toEqual(captions);
    expect(await sampler.captionImages({ ...options, maxBatch: 1 })).toEqual(captions);
    expect(captions).not.toEqual(await sampler.captionImages({ images, maxTokens: 6 }));
    const config = tinyConfig();
    const parameters = tinyParameters(backend, config);
    const { bos, boi, eoi, eos, pad } = byteTokenizer().special;
    const batch = new SequenceBatch({ backend, config: config.model, parameters, rows: 1, capacity: 64 });
    for (const [i, { data }] of images.entries()) {
      const search = new BeamSearch({ beams, eos, minTokens: 1, maxTokens: 6 });
      while (search.live.length > 0) {
        const logits: Float32Array[] = [];
        for (const { ids } of search.live) {
          batch.clear();
          await batch.appendTokensAlone(0, [bos, boi]);
          await batch.appendImages(new Map([[0, data]]), imageLayout(config).latent);
          const next = (await batch.appendTokensAlone(0, [eoi, ...ids])).slice();
          for (const id of [bos, boi, eoi, pad]) next[id] = Number.NEGATIVE_INFINITY;
          logits.push(next.fill(Number.NEGATIVE_INFINITY, byteTokenizer().vocabularySize));
        }
        search.step(logits);
      }
      expect(byteTokenizer().decode([...search.ended[0].ids])).toBe(captions[i]);
    }
    batch.dispose();
  });

  test('draws: of what the search found the caption that explains the image, whatever the size of the batches', async () => {
    const options = { images, maxTokens: 4, beams: 4, draws: 3, explanationWeight: 1e4 };
    const captions = await sampler.captionImages(options);
    expect(await sampler.captionImages({ ...options, maxBatch: 4 })).toEqual(captions);
    expect(await sampler.captionImages({ ...options, images: [images[1]] })).toEqual([captions[1]]);
    const likeliest = await sampler.captionImages({ ...options, draws: 0 });
    expect(captions).not.toEqual(likeliest);
    expect(await sampler.captionImages({ ...options, explanationWeight: 0 })).toEqual(likeliest);
    await expect(sampler.captionImages({ images, draws: 2 })).rejects.toThrow(
      /SAMPLER_DRAWS: .*beams is 1\n.*set beams/,
    );
  });

  test('rows finish at EOS, or at the end of the context', async () => {
    const { special } = byteTokenizer();
    const brief = singleMindedSampler(backend, special.eos);
    expect(await brief.captionImages({ images, minTokens: 0 })).toEqual(['', '', '']);
    // The end is all it wants, but a caption is something.
    expect((await brief.captionImages({ images, beams: 2 })).map(({ length }) => length)).toEqual([1, 1, 1]);
    const [long] = await singleMindedSampler(backend, 65).captionImages({ images, maxTokens: 1000 });
    // BOS BOI, 4 patches, EOI, then text up to the 64th position.
    expect(long).toBe('A'.repeat(57));
  });
});

test('generating again builds nothing new', async () => {
  const options = { prompt: [{ text: 'red' }], forceImage: true, maxTokens: 3, maxImages: 1 };
  await collect(options);
  const { builtKernels, liveBytes } = backend.stats();
  await collect({ ...options, seed: 2 });
  expect(backend.stats()).toMatchObject({ builtKernels, liveBytes });
});
