import type { RgbImage } from '@transfusion/data';
import type { Backend } from '@transfusion/tensor';
import { openCodec } from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';
import type { DrawImagesOptions } from './draw-images.js';
import type { GenerateOptions } from './generate.js';
import { knownLatents, type PixelMask } from './image-to-image.js';
import { createSampler, type Sampler } from './sampler.js';
import { greatestDifference } from './testing/reference-forward.js';
import { tinyCodecWeights, tinyKl, tinyLatentConfig } from './testing/tiny-codec.js';
import { byteTokenizer, testImage, tinyConfig, tinyParameters, tinySampler } from './testing/tiny-model.js';

let backend: Backend;
let sampler: Sampler;
let flow: Sampler;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
  sampler = tinySampler(backend);
  const straight = { schedule: 'flow', parameterisation: 'flow' } as const;
  flow = tinySampler(backend, tinyConfig({ diffusion: straight, sampling: { scheduler: 'euler' } }));
});
afterAll(() => backend.dispose());

const image = (seed: number): RgbImage => ({ width: 4, height: 4, data: testImage(seed) });
const mask = (isRepainted: (x: number, y: number) => boolean): PixelMask => ({
  ...{ width: 4, height: 4 },
  data: Float32Array.from({ length: 16 }, (_, i) => (isRepainted(i % 4, Math.floor(i / 4)) ? 1 : 0)),
});
const left = mask((x) => x < 2);
const draw = (options: Omit<DrawImagesOptions, 'prompts'>, by = sampler) =>
  by.drawImages({ prompts: ['red', 'x'], ...options });
async function generated(options: Partial<GenerateOptions>, by = sampler): Promise<RgbImage> {
  const common = { prompt: [{ text: 'red' }], forceImage: true, maxTokens: 0 };
  for await (const event of by.generate({ ...common, ...options })) if (event.type === 'image') return event.image;
  throw new Error('no image');
}

describe('an image made from another', () => {
  test('at strength 1 it is the one drawn from noise: on the flow schedule bit for bit, there is no signal in noise', async () => {
    expect(await draw({ from: image(1), strength: 1 }, flow)).toEqual(await draw({}, flow));
    // On the cosine schedule the noisiest image has a little: signal 5e-5 of it.
    const [[from], [noise]] = [await draw({ from: image(1), strength: 1 }), await draw({})];
    expect(greatestDifference(from.data, noise.data)).toBeLessThan(5e-3);
    expect(greatestDifference(from.data, noise.data)).toBeGreaterThan(0);
  });

  test('the less strength the nearer; next to none gives it back', async () => {
    const distance = async (by: Sampler, strength: number, steps: number) =>
      greatestDifference((await draw({ from: image(1), strength, steps }, by))[0].data, image(1).data);
    for (const by of [sampler, flow]) {
      expect(await distance(by, 0.001, 1000)).toBeLessThan(0.05);
      expect(await distance(by, 0.3, 10)).toBeLessThan(await distance(by, 0.9, 10));
    }
  });

  test('by 0.6 unless it is said: of 10 steps 6', async () => {
    const steps = new Set<number>();
    const onStep = ({ steps: all }: { steps: number }) => void steps.add(all);
    const [usual] = await draw({ from: image(1), steps: 10, onStep });
    expect([...steps]).toEqual([6]);
    expect((await draw({ from: image(1), steps: 10, strength: 0.6 }))[0]).toEqual(usual);
  });

  test('one for all prompts, or one each', async () => {
    const [a] = await draw({ from: image(1) });
    const [, b] = await draw({ from: image(2) });
    expect(await draw({ from: [image(1), image(2)] })).toEqual([a, b]);
    expect(await draw({ from: [image(1), image(2)], maxBatch: 1 })).toHaveLength(2);
    expect(b).not.toEqual((await draw({ from: image(1) }))[1]);
  });

  test('generate does the same', async () => {
    const [drawn] = await sampler.drawImages({ prompts: ['red'], from: image(1), mask: left, steps: 5, strength: 0.7 });
    const options = { from: image(1), mask: left, steps: 5, strength: 0.7 };
    expect(greatestDifference((await generated({ image: options })).data, drawn.data)).toBeLessThan(1e-5);
  });
});

describe('a mask', () => {
  const samplers = [
    ...(['ddim', 'ddpm', 'dpmpp_2m'] as const).map((scheduler) => [scheduler, () => sampler] as const),
    ...(['euler', 'heun'] as const).map((scheduler) => [scheduler, () => flow] as const),
  ];
  test.each(samplers)('of which nothing is set gives the image back, by %s', async (scheduler, by) => {
    const [drawn] = await draw({ from: image(1), mask: mask(() => false), scheduler, steps: 3 }, by());
    expect(drawn).toEqual(image(1));
  });

  test.each(samplers)('keeps pixels bit for bit and repaints the others, by %s', async (scheduler, by) => {
    const [drawn] = await draw({ from: image(1), mask: left, scheduler, steps: 3 }, by());
    drawn.data.forEach((value, i) => {
      const isKept = Math.floor(i / 3) % 4 >= 2;
      if (isKept) expect(value).toBe(image(1).data[i]);
      else expect(value).not.toBe(image(1).data[i]);
    });
  });

  test('the repainted part sees the kept one: another original, another painting', async () => {
    const other = { ...image(1), data: image(1).data.map((value, i) => (Math.floor(i / 3) % 4 >= 2 ? -value : value)) };
    const common = { mask: left, steps: 4, strength: 1 };
    const [[a], [b]] = [await draw({ from: image(1), ...common }, flow), await draw({ from: other, ...common }, flow)];
    expect(greatestDifference(a.data.slice(0, 6), b.data.slice(0, 6))).toBeGreaterThan(1e-3);
  });

  test('set everywhere it is no mask', async () => {
    const all = { from: image(1), strength: 0.7, steps: 5 };
    expect(await draw({ ...all, mask: mask(() => true) })).toEqual(await draw(all));
  });

  test('previews have the kept pixels too', async () => {
    const previews: RgbImage[] = [];
    const onStep = async (progress: { previews(): Promise<RgbImage[]> }) =>
      void previews.push((await progress.previews())[1]);
    await draw({ from: image(1), mask: left, onStep });
    for (const preview of previews) expect(preview.data.slice(6, 12)).toEqual(image(1).data.slice(6, 12));
  });

  test('is coarse in latents, and exact in pixels all the same', async () => {
    const config = tinyLatentConfig(tinyKl);
    const codec = await openCodec({ backend, config: config.codec, weights: tinyCodecWeights(tinyKl) });
    const parameters = tinyParameters(backend, config);
    const latent = createSampler({ backend, config, parameters, tokenizer: byteTokenizer(), codec });
    const one = mask((x, y) => x === 0 && y === 3);
    // Its 2 x 2 pixels are one latent, at the left of the second row.
    expect([...knownLatents(one, { latent: { height: 2, width: 2, channels: 4 } })]).toEqual([1, 1, 0, 1]);
    const [drawn] = await draw({ from: image(1), mask: one }, latent);
    drawn.data.forEach((value, i) => {
      if (Math.floor(i / 3) !== 12) expect(value).toBe(image(1).data[i]);
    });
    expect(drawn.data.slice(36, 39)).not.toEqual(image(1).data.slice(36, 39));
    latent.dispose();
  });
});

describe('what does not fit is refused by name, before any work', () => {
  const wide = { width: 8, height: 4, data: new Float32Array(96) };
  test.each<[string, Omit<DrawImagesOptions, 'prompts'>, RegExp]>([
    ['a strength of nothing', { strength: 0.5 }, /strength is 0\.5, but there is no image to start from.*image\.from/s],
    ['strength 0', { from: image(1), strength: 0 }, /strength.*0/],
    ['strength 2', { from: image(1), strength: 2 }, /strength.*1/],
    ['a mask of nothing', { mask: left }, /a mask is given, but no image.*`from`/s],
    ['another size', { from: wide }, /from is 8x4, which the model does not draw.*resize it to 4x4/s],
    [
      'a mask of another size',
      { from: image(1), mask: { ...left, width: 2 } },
      /mask is 2x4, the image that it belongs to 4x4/,
    ],
    ['values missing', { from: { ...image(1), data: new Float32Array(47) } }, /has 47 values.*\[4, 4, 3\], 48/s],
    [
      'a mask of bytes',
      { from: image(1), mask: { ...left, data: new Uint8Array(16).fill(255, 5) } },
      /column 1, row 1 is 255.*divide/s,
    ],
    ['a mask with NaN', { from: image(1), mask: { ...left, data: new Float32Array(16).fill(Number.NaN) } }, /is NaN/],
    ['no image', { from: testImage(1) as unknown as RgbImage }, /from.*width/s],
    ['another number', { from: [image(1)] }, /1 in from for 2 prompts.*list of 2/s],
    ['one of several', { from: [image(1), wide] }, /image 2: from is 8x4/],
  ])('%s', async (_, options, message) => {
    await expect(draw(options)).rejects.toThrow(message);
    await expect(draw(options)).rejects.toMatchObject({ code: expect.stringMatching(/SAMPLER_(OPTIONS|IMAGE_SIZE)/) });
  });

  test('generate too', async () => {
    await expect(generated({ image: { from: wide } })).rejects.toThrow(/from is 8x4/);
    await expect(generated({ image: { mask: left } })).rejects.toThrow(/no image to start from/);
  });
});
