/** @file The command line on a model of several image sizes, which it announces. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodePng, encodePng } from '@transfusion/data';
import { CPU, runSampler } from './testing/run-sampler.js';
import { writeTinyModelFolder } from './testing/tiny-model-folder.js';

const SIZES = [
  { width: 8, height: 8 },
  { width: 16, height: 8 },
  { width: 8, height: 12 },
];
let folder: string;
const path = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-sampler-sizes-'));
  await writeTinyModelFolder(path('model'), undefined, SIZES);
  await writeTinyModelFolder(path('square'));
  // Progress goes there.
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterAll(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

const sampler = (model: string, command: string, ...argv: string[]) =>
  runSampler([command, '--model', path(model), ...CPU, ...argv]);
const sizeOf = async (name: string) => {
  const { width, height } = decodePng(await readFile(path(name)));
  return `${width}x${height}`;
};
const generate = (model: string, name: string, ...more: string[]) =>
  sampler(model, 'generate', '--prompt', 'red', '--out', path(name), '--steps', '1', ...more);

test('info tells the sizes', async () => {
  const { out } = await sampler('model', 'info');
  expect(out).toMatch(/^images {6}8 x 8 pixels as 4 patches of 4 x 4 pixels$/m);
  expect(out).toMatch(/^sizes {7}8x8, 16x8, 8x12; the model chooses$/m);
  expect((await sampler('square', 'info')).out).not.toMatch(/^sizes/m);
});

test('generate draws the size that is asked for; else the one that the model chooses, several in one grid', async () => {
  for (const size of ['16x8', '8x12', '8x8']) {
    expect(await generate('model', `${size}.png`, '--size', size)).toMatchObject({ code: 0 });
    expect(await sizeOf(`${size}.png`)).toBe(size);
  }
  expect(await generate('model', 'own.png')).toMatchObject({ code: 0 });
  expect(['8x8', '16x8', '8x12']).toContain(await sizeOf('own.png'));
  expect(await generate('model', 'two.png', '--size', '16x8', '--n', '2')).toMatchObject({ code: 0 });
  expect([await sizeOf('two-1.png'), await sizeOf('two.png')]).toEqual(['16x8', '38x12']);
});

test('sizes that are none, or that the model does not draw: exit 2, with those that it does', async () => {
  for (const [size, message] of [
    ['16', /--size.*'16' is invalid.*give width and height in pixels, such as 64x32/],
    ['16x16', /SAMPLER_IMAGE_SIZE: size is 16x16.*\s+fix: ask for 8x8, 16x8 or 8x12/],
  ] as const) {
    expect(await generate('model', 'never.png', '--size', size)).toMatchObject({
      code: 2,
      log: expect.stringMatching(message),
    });
  }
  expect(await generate('square', 'never.png', '--size', '16x8')).toMatchObject({
    code: 2,
    log: expect.stringContaining('ask for 8x8'),
  });
  expect(await readdir(folder)).not.toContain('never.png');
});

test('caption and continue take pictures of any shape, at the nearest of the sizes', async () => {
  for (const [name, width, height] of [
    ['wide', 40, 19],
    ['high', 7, 12],
    ['odd', 13, 12],
  ] as const) {
    const data = Float32Array.from({ length: width * height * 3 }, (_, i) => Math.sin(i));
    await writeFile(path(`${name}.png`), encodePng({ width, height, data }));
  }
  const pictures = ['wide', 'high', 'odd'].map((name) => path(`${name}.png`));
  const told = await sampler('model', 'caption', '--image', ...pictures, '--max-tokens', '3');
  expect([told.code, told.out.split('\n').length]).toEqual([0, 3]);
  const story = await sampler(
    ...(['model', 'continue', '--image', pictures[0], '--draw', '--size', '8x12', '--steps', '1'] as const),
    ...['--max-tokens', '0', '--max-images', '1', '--out', path('story')],
  );
  expect(story).toMatchObject({ code: 0 });
  expect(await sizeOf(join('story', '001.png'))).toBe('8x12');
});

test('a tokenizer of other sizes is refused when the model is read', async () => {
  await writeTinyModelFolder(path('broken'), undefined, SIZES);
  const file = join(path('broken'), 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8'));
  config.image.sizes.pop();
  await writeFile(file, JSON.stringify(config));
  const { code, log } = await generate('broken', 'never.png');
  expect([code, log]).toEqual([
    2,
    expect.stringMatching(/CHECKPOINT_CONTENT: .*tokenizer\.json has <\|image:8x12\|>, and no image is of that size/),
  ]);
});
