/** @file The commands with a model whose images are tokens, and with a plain language model. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodePng, encodePng } from '@transfusion/data';
import { readDrawing } from '@transfusion/sampler';
import { CPU, runSampler } from './testing/run-sampler.js';
import { ofTokens, tinyVq, writeTinyModelFolder } from './testing/tiny-model-folder.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-tokens-'));
  await writeTinyModelFolder(join(folder, 'tokens'), tinyVq, undefined, ofTokens);
  await writeTinyModelFolder(join(folder, 'plain'), undefined, undefined, {
    images: 'none',
    patchSize: 1,
    patchValues: 1,
  });
  const data = Float32Array.from({ length: 8 * 8 * 3 }, (_, i) => Math.sin(i));
  await writeFile(at('picture.png'), encodePng({ width: 8, height: 8, data }));
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterAll(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

const at = (name: string) => join(folder, name);

const pixels = async (name: string) => decodePng(await readFile(at(name)));

const sampler = (command: string, model: string, ...more: string[]) =>
  runSampler([command, '--model', at(model), ...CPU, ...more]);

test('draws, the same for the same seed; the temperature is chosen', async () => {
  const generate = (name: string, ...more: string[]) =>
    sampler('generate', 'tokens', '--prompt', 'red', '--out', at(name), ...more);
  expect(await generate('a.png', '--seed', '5')).toMatchObject({ code: 0, out: at('a.png') });
  const image = decodePng(await readFile(at('a.png')));
  expect([image.width, image.height]).toEqual([8, 8]);
  await generate('again.png', '--seed', '5', '--image-temperature', '1');
  expect(await pixels('again.png')).toEqual(await pixels('a.png'));
  const likely = ['--guidance', '1', '--image-top-k', '1'];
  await generate('likely.png', '--seed', '5', ...likely);
  await generate('likely-too.png', '--seed', '6', '--image-temperature', '0', '--guidance', '1');
  expect(await pixels('likely-too.png')).toEqual(await pixels('likely.png'));
});

test('a picture tells how it was drawn, and is drawn again bit for bit', async () => {
  const chosen = ['--image-temperature', '0.8', '--image-top-k', '7', '--image-top-p', '0.9', '--image-min-p', '0.01'];
  const given = ['--prompt', 'red', '--seed', '7', '--guidance', '2', '--negative-prompt', 'blurred', '--n', '2'];
  expect((await sampler('generate', 'tokens', ...given, ...chosen, '--out', at('told.png'))).code).toBe(0);
  const file = await readFile(at('told-2.png'));
  const { image } = readDrawing(file, 'told-2.png');
  const options = { temperature: 0.8, topK: 7, topP: 0.9, minP: 0.01 };
  expect(image).toEqual({ guidance: 2, negativePrompt: 'blurred', ...options });
  const again = ['--like', at('told-2.png'), '--out', at('told-again.png')];
  expect(await sampler('generate', 'tokens', ...again)).toMatchObject({ code: 0 });
  expect(await readFile(at('told-again.png'))).toEqual(file);
  // Without guidance the negative prompt has nothing to do, and goes with it.
  expect((await sampler('generate', 'tokens', ...again, '--guidance', '1', '--image-top-k', '1')).code).toBe(0);
  const other = readDrawing(await readFile(at('told-again.png')), 'told-again.png');
  expect(other.image).toEqual({ guidance: 1, ...options, topK: 1 });
});

test('an option of denoising is refused by name', async () => {
  const given = ['--prompt', 'red', '--out', at('b.png')];
  for (const [option, value] of [
    ['--guidance-interval', '0.2,0.8'],
    ['--from', at('picture.png')],
    ['--steps', '3'],
  ]) {
    const refused = await sampler('generate', 'tokens', ...given, option, value);
    expect(refused).toMatchObject({
      code: 2,
      log: expect.stringMatching(
        `SAMPLER_OPTIONS: ${option} is given, but this model's images are tokens, not denoised\\n +fix: leave ${option} out; there are --guidance, --negative-prompt, --image-temperature, --image-top-k`,
      ),
    });
  }
});

test('captions, and goes on with documents', async () => {
  const caption = await sampler('caption', 'tokens', '--image', at('picture.png'), '--max-tokens', '3');
  expect(caption.code).toBe(0);
  const parts = ['--text', 'a', '--image', at('picture.png')];
  const written = await sampler('continue', 'tokens', ...parts, '--draw', '--max-tokens', '2', '--out', at('story'));
  expect(written.code).toBe(0);
  expect(decodePng(await readFile(at('story/001.png'))).width).toBe(8);
});

test('info tells what images are', async () => {
  const tokens = await sampler('info', 'tokens');
  expect(tokens.out).toMatch(/images +8 x 8 pixels as 16 tokens\ncodec +vq, downsampling 2, 16 codes, /);
  expect(tokens.out).toMatch(/sampling +guidance 3 unless told otherwise/);
  expect(tokens.out).not.toMatch(/diffusion|denoising|ddim/);
  const plain = await sampler('info', 'plain');
  expect(plain.out).toMatch(/images +none: a plain language model/);
});

test('a plain language model goes on with text, and says that it knows no images', async () => {
  const story = await sampler('continue', 'plain', '--text', 'a', '--max-tokens', '3', '--out', at('text'));
  expect(story.code).toBe(0);
  const drawn = await sampler('generate', 'plain', '--prompt', 'red', '--out', at('c.png'));
  expect(drawn).toMatchObject({ code: 2, log: expect.stringContaining('SAMPLER_NO_IMAGES') });
  const captioned = await sampler('caption', 'plain', '--image', at('picture.png'));
  expect(captioned).toMatchObject({ code: 2, log: expect.stringContaining('SAMPLER_NO_IMAGES') });
});
