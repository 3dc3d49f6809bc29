import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { decodePng, encodePng, type RgbImage } from '@transfusion/data';
import { readDrawing } from '@transfusion/sampler';
import sharp from 'sharp';
import { CPU, inFolderWithModel, runSampler, toldCommand } from './testing/run-sampler.js';
import { writeTinyModelFolder } from './testing/tiny-model-folder.js';

const place = inFolderWithModel();

const sampler = (...argv: string[]) => runSampler([...argv, ...CPU]);
const generate = (...more: string[]) =>
  sampler('generate', ...(more.includes('--model') ? [] : ['--model', place.model]), ...more);
/** What it wrote; an error where it did not. */
async function written(out: string, ...more: string[]): Promise<Buffer> {
  const result = await generate('--out', out, ...more);
  if (result.code !== 0) throw new Error(result.log);
  return readFile(out);
}
const settingsOf = async (path: string) => readDrawing(await readFile(path), path);
const sha256 = async (...path: string[]) =>
  createHash('sha256')
    .update(await readFile(join(...path)))
    .digest('hex');

describe('a picture says how it was drawn', () => {
  test('all that was chosen, and what was left to the model', async () => {
    await written('a.png', '--prompt', 'a "red" ❤️', '--seed', '5', '--guidance', '4', '--scale', '2');
    expect(await settingsOf('a.png')).toEqual({
      command: 'generate',
      ...{ version: 1, software: '@transfusion/sampler-app 0.1.0', backend: 'wasm' },
      model: {
        config: await sha256(place.model, 'config.json'),
        tokenizer: await sha256(place.model, 'tokenizer.json'),
        weights: await sha256(place.model, 'model.safetensors'),
      },
      ...{ prompt: 'a "red" ❤️', seed: 5, n: 1, index: 0, maxBatch: 16, scale: 2 },
      image: { steps: 3, guidance: 4, scheduler: 'ddim', spacing: 'trailing', eta: 0 },
      size: { width: 8, height: 8 },
    });
  });

  test('the images of continue too: the document before, and what the model wrote of it', async () => {
    const options = ['--text', 'look', '--image', 'a.png', '--draw', '--max-images', '2', '--max-tokens', '30'];
    const result = await sampler(
      'continue',
      '--model',
      place.model,
      ...options,
      '--seed',
      '9',
      '--temperature',
      '1',
      '--out',
      'story',
    );
    expect(result.code).toBe(0);
    const pictures = (await readdir('story')).filter((name) => name.endsWith('.png')).sort();
    const first = await settingsOf(join('story', pictures[0]));
    const given = [{ text: 'look' }, { image: { name: 'a.png', sha256: await sha256('a.png') } }];
    expect(first).toMatchObject({ command: 'continue', seed: 9, index: 0, parts: given, image: { steps: 3 } });
    const again = await generate('--like', join('story', pictures[0]));
    expect(again).toMatchObject({ code: 2, log: expect.stringMatching(/image 1 of a document/) });
    const command = toldCommand(again.log).map((word) => (word === 'MODEL' ? place.model : word));
    expect(await sampler(...command)).toMatchObject({ code: 0 });
    const drawn = join('story', `${parse(pictures[0]).name}-again`, '001.png');
    expect(await readFile(drawn)).toEqual(await readFile(join('story', pictures[0])));
    // Of a later picture the file alone does not say enough.
    const second = { texts: { transfusion: JSON.stringify({ ...first, index: 1 }) } };
    await writeFile('second.png', encodePng({ width: 8, height: 8, data: new Float32Array(192) }, second));
    const later = await generate('--like', 'second.png');
    expect(later.log).toMatch(/repeat the run.*sampler continue --model MODEL DOCUMENT --seed 9 --steps 3/);
    for (const [index, picture] of pictures.entries()) {
      const later = await settingsOf(join('story', picture));
      expect(later).toMatchObject({ index });
      // Drawn images are parts of the document too.
      if (later.command === 'continue' && index === 1) {
        expect(later.parts).toContainEqual({
          image: { name: pictures[0], sha256: await sha256('story', pictures[0]) },
        });
      }
    }
  });
});

describe('--like draws it again, bit for bit', () => {
  test('a single picture, beside the first', async () => {
    const options = ['--guidance', '5', '--guidance-rescale', '0.7', '--guidance-interval', '0.2,0.9', '--eta', '0.5'];
    const first = await written('one.png', '--prompt', 'red', '--negative-prompt', 'blue', '--seed', '7', ...options);
    expect(await generate('--like', 'one.png')).toMatchObject({
      code: 0,
      out: 'one-again.png',
      log: expect.not.stringMatching(/like/),
    });
    expect(await readFile('one-again.png')).toEqual(first);
    expect(await written('one-there.png', '--like', 'one-again.png')).toEqual(first);
  });

  test.each([
    ['3', []],
    // In two batches, of 9 and of 8.
    ['17', ['--steps', '1']],
  ])('of %s the grid, and each alone in the batch that it was in', async (n, more) => {
    const grid = await written(`of${n}.png`, '--prompt', 'red', '--n', n, '--seed', '2', '--scale', '2', ...more);
    expect(await settingsOf(`of${n}.png`)).toMatchObject({ n: Number(n), index: null });
    const names = (await readdir('.')).filter((name) => name.startsWith(`of${n}-`)).sort();
    expect(names).toHaveLength(Number(n));
    const singles = await Promise.all(names.map((name) => readFile(name)));
    for (const at of [0, 1, names.length - 1]) {
      expect(await settingsOf(names[at])).toMatchObject({ n: Number(n), index: at });
      expect(await written('single.png', '--like', names[at])).toEqual(singles[at]);
    }
    expect(await written(`again${n}.png`, '--like', `of${n}.png`)).toEqual(grid);
    expect(await readFile(names.at(-1)!.replace('of', 'again'))).toEqual(singles.at(-1));
  });

  test('on another backend it is the same but for rounding, unless something else was changed', async () => {
    await written('cpu.png', '--prompt', 'red', '--n', '2');
    const settings = await settingsOf('cpu-1.png');
    const { texts, ...image } = decodePng(await readFile('cpu-1.png')) as RgbImage & { texts?: unknown };
    const told = JSON.stringify({ ...settings, backend: 'webgpu' });
    await writeFile('gpu.png', encodePng(image, { texts: { transfusion: told } }));
    const say = async (...more: string[]) => (await generate('--like', 'gpu.png', '--out', 'x.png', ...more)).log;
    expect(await say()).toContain('gpu.png was drawn on webgpu; on wasm it is the same but for rounding');
    expect(await say('--seed', '0')).toContain('the same but for rounding');
    expect(await say('--steps', '2')).toContain('on wasm it is another picture, as --steps is not as then');
    const several = await say('--prompt', 'blue', '--n', '2', '--guidance', '7', '--size', '8x8');
    expect(several).toContain('as --prompt, --n, --guidance are not as then');
  });

  test('one made from a picture with a mask needs both again, and says whether they are the same', async () => {
    await sharp({ create: { width: 30, height: 20, channels: 3, background: '#4080c0' } })
      .png()
      .toFile('from.png');
    const right = Buffer.from(Array.from({ length: 600 }, (_, i) => (i % 30 < 15 ? 0 : 255)));
    await sharp(right, { raw: { width: 30, height: 20, channels: 1 } })
      .png()
      .toFile('mask.png');
    const sources = ['--from', 'from.png', '--mask', 'mask.png'];
    const first = await written('edited.png', '--prompt', 'red', ...sources);
    expect(await settingsOf('edited.png')).toMatchObject({
      from: { name: 'from.png', sha256: await sha256('from.png') },
      mask: { name: 'mask.png' },
      image: { strength: 1 },
    });
    expect(await written('edited-2.png', '--like', 'edited.png', ...sources)).toEqual(first);
    await sharp({ create: { width: 30, height: 20, channels: 3, background: '#707070' } })
      .png()
      .toFile('dark.png');
    const dark = await generate('--prompt', 'a', '--out', 'never.png', '--from', 'from.png', '--mask', 'dark.png');
    expect(dark).toMatchObject({
      code: 2,
      log: expect.stringMatching(/MASK_EMPTY: --mask dark\.png has no bright pixel/),
    });
    for (const [out, option] of [
      ['from.png', '--from from.png'],
      [join('..', parse(place.folder).base, 'mask.png'), '--mask mask.png'],
    ]) {
      const over = await generate('--prompt', 'a', '--out', out, ...sources);
      expect(over).toMatchObject({ code: 2, log: expect.stringContaining(`written over ${option}`) });
    }
    expect(await generate('--like', 'edited.png', ...sources, '--out', './edited.png')).toMatchObject({ code: 2 });
    expect(await readFile('edited.png')).toEqual(first);
    const without = await generate('--like', 'edited.png');
    expect(without).toMatchObject({
      code: 2,
      log: expect.stringMatching(/DRAWING_SOURCE: edited\.png was drawn with --from from\.png/),
    });
    await sharp({ create: { width: 30, height: 20, channels: 3, background: 'red' } })
      .png()
      .toFile('other.png');
    const other = await generate('--like', 'edited.png', '--from', 'other.png', '--mask', 'mask.png', '--out', 'o.png');
    expect(other).toMatchObject({ code: 0, log: expect.stringContaining('--from other.png is not the from.png') });
  });
});

test('of a model of several sizes, in the size that it was drawn in; a picture decides it where one is made from it', async () => {
  await writeTinyModelFolder('sizes');
  const file = join('sizes', 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8'));
  const [square, wide] = [
    { width: 8, height: 8 },
    { width: 16, height: 8 },
  ];
  await writeFile(file, JSON.stringify({ ...config, image: { ...config.image, sizes: [square, wide] } }));
  const of = ['--model', 'sizes'];
  const first = await written('wide-1.png', ...of, '--prompt', 'red', '--size', '16x8', '--n', '2');
  expect(await settingsOf('wide-1.png')).toMatchObject({ size: wide });
  expect(await written('wide-2.png', ...of, '--like', 'wide-1.png')).toEqual(first);
  expect(await written('wide-3.png', ...of, '--like', 'wide-1-2.png')).toEqual(await readFile('wide-1-2.png'));
  await sharp({ create: { width: 41, height: 20, channels: 3, background: 'red' } })
    .png()
    .toFile('red.png');
  const made = await written('wide-4.png', ...of, '--prompt', 'x', '--from', 'red.png');
  expect(await settingsOf('wide-4.png')).toMatchObject({ size: wide, image: { strength: 0.6 } });
  expect(await written('wide-5.png', ...of, '--like', 'wide-4.png', '--from', 'red.png')).toEqual(made);
});

describe('other options change single settings', () => {
  beforeAll(() =>
    written('base.png', '--prompt', 'red', '--negative-prompt', 'blue', '--seed', '4', '--spacing', 'even'),
  );

  test('seed, prompt, steps, number', async () => {
    await written('b1.png', '--like', 'base.png', '--seed', '5', '--steps', '2');
    expect(await settingsOf('b1.png')).toMatchObject({
      ...{ prompt: 'red', seed: 5 },
      image: { steps: 2, negativePrompt: 'blue', spacing: 'even' },
    });
    const direct = ['--prompt', 'red', '--negative-prompt', 'blue', '--seed', '5', '--spacing', 'even', '--steps', '2'];
    expect(await written('b2.png', ...direct)).toEqual(await readFile('b1.png'));
    await written('b3.png', '--like', 'base.png', '--n', '2');
    expect(await settingsOf('b3.png')).toMatchObject({ n: 2, index: null, seed: 4 });
  });

  test('what belongs to another scheduler, or to guidance that is no more, is left out', async () => {
    await written('b4.png', '--like', 'base.png', '--guidance', '1');
    expect((await settingsOf('b4.png')).image).not.toHaveProperty('negativePrompt');
    await written('b5.png', '--like', 'base.png', '--scheduler', 'dpmpp_2m');
    expect((await settingsOf('b5.png')).image).toMatchObject({ scheduler: 'dpmpp_2m', spacing: 'trailing' });
    await written('b6.png', '--like', 'base.png', '--guidance-rescale', '0.5');
    await written('b7.png', '--like', 'b6.png', '--guidance-renorm', '0');
    expect((await settingsOf('b7.png')).image).not.toHaveProperty('guidanceRescale');
  });
});

describe('what cannot be drawn again is refused, with why', () => {
  const refused = async (path: string, ...more: string[]) => {
    const result = await generate('--like', path, '--out', 'never.png', ...more);
    expect(await readdir('.')).not.toContain('never.png');
    expect(result.log).not.toMatch(/\n\s+at /);
    return result;
  };
  const withText = (keyword: string, text: string) =>
    encodePng({ width: 1, height: 1, data: new Float32Array(3) }, { texts: { [keyword]: text } });

  test('another model, naming what differs', async () => {
    await written('own.png', '--prompt', 'a');
    await writeTinyModelFolder('another');
    const file = join('another', 'model.safetensors');
    const bytes = await readFile(file);
    bytes[bytes.length - 1] ^= 1;
    await writeFile(file, bytes);
    const result = await refused('own.png', '--model', 'another');
    expect(result.code).toBe(2);
    expect(result.log).toMatch(
      /DRAWING_MODEL: own\.png was drawn by another model than another: model\.safetensors is \w{12}, was \w{12} \(SHA-256\).*--model/s,
    );
    expect(result.log).not.toMatch(/config\.json is/);
  });

  test('no settings, those of others, and what is none', async () => {
    await written('plain-0.png', '--prompt', 'a');
    const { data, info } = await sharp('plain-0.png').raw().toBuffer({ resolveWithObject: true });
    await sharp(data, { raw: { width: info.width, height: info.height, channels: 3 } })
      .png()
      .toFile('plain.png');
    await writeFile('webui.png', withText('parameters', 'a cat\nSteps: 20'));
    await writeFile('text.png', withText('transfusion', 'hello'));
    await writeFile('odd.png', withText('transfusion', '{"command":"generate","version":1,"seed":-1,"promt":"a"}'));
    await writeFile('later.png', withText('transfusion', '{"command":"generate","version":2}'));
    await writeFile('deep.png', withText('transfusion', '['.repeat(2 ** 20)));
    for (const [path, message] of [
      ['nothing.png', /IMAGE_UNREADABLE.*nothing\.png/],
      ['plain.png', /DRAWING_SETTINGS: plain\.png does not say how it was drawn/],
      ['webui.png', /settings of another program \("parameters"\)/],
      ['text.png', /settings in text\.png are no JSON/],
      ['odd.png', /DRAWING_SETTINGS: the settings in odd\.png has \d+ problems.*promt.*prompt/s],
      ['later.png', /version.*1/],
      ['deep.png', /no JSON/],
    ] as const) {
      expect(await refused(path)).toMatchObject({ code: 2, log: expect.stringMatching(message) });
    }
  });

  test('absurd sizes', async () => {
    await written('own-2.png', '--prompt', 'a');
    const settings = await settingsOf('own-2.png');
    for (const [change, message] of [
      [{ n: 1e9 }, /n.*1024/],
      [{ scale: 1e6 }, /scale/],
      [{ maxBatch: 0 }, /maxBatch/],
      [{ index: 5 }, /index/],
      [{ image: { ...settings.image, steps: 1e9 } }, /steps/i],
      [{ image: { ...settings.image, guidance: 1e308 } }, /image\.guidance: expected a scale from -1000 to 1000/],
    ] as const) {
      await writeFile('absurd.png', withText('transfusion', JSON.stringify({ ...settings, ...change })));
      expect(await refused('absurd.png')).toMatchObject({ code: 2, log: expect.stringMatching(message) });
    }
  });
});

describe('from a picture', () => {
  test('a mask keeps every other pixel', async () => {
    const gradient = Buffer.from(Array.from({ length: 8 * 8 * 3 }, (_, i) => (i * 5) % 256));
    await sharp(gradient, { raw: { width: 8, height: 8, channels: 3 } })
      .png()
      .toFile('g.png');
    const above = Buffer.from(Array.from({ length: 64 }, (_, i) => (i < 24 ? 255 : 0)));
    await sharp(above, { raw: { width: 8, height: 8, channels: 1 } })
      .png()
      .toFile('above.png');
    await written('hat.png', '--prompt', 'hat', '--from', 'g.png', '--mask', 'above.png');
    const [hat, before] = [decodePng(await readFile('hat.png')), decodePng(await readFile('g.png'))];
    expect(hat.data.slice(24 * 3)).toEqual(before.data.slice(24 * 3));
    expect(hat.data.slice(0, 24 * 3)).not.toEqual(before.data.slice(0, 24 * 3));
  });

  test.each([
    ['a mask alone', ['--mask', 'above.png'], /MASK_SHAPE: --mask above\.png is given without --from/],
    [
      'a strength alone',
      ['--strength', '0.5'],
      /--strength is 0\.5, but there is no image.*give the image as --from, or leave --strength out/s,
    ],
    [
      'a mask of another shape',
      ['--from', 'wide.png', '--mask', 'above.png'],
      /above\.png is 8 x 8 pixels, --from wide\.png 16 x 8.*16 x 8 pixels, or of the same shape/s,
    ],
    ['strength 0', ['--from', 'g.png', '--strength', '0'], /strength/],
    ['a strength in percent', ['--from', 'g.png', '--strength', '60'], /--strength .*number above 0, at most 1/],
    ['a guidance beyond all range', ['--guidance', '1e308'], /--guidance .*number from -1000 to 1000/],
    ['an interval of one number', ['--guidance-interval', '0.5'], /two numbers from 0 to 1, the smaller first/],
    [
      'a negative prompt without guidance',
      ['--guidance', '1', '--negative-prompt', 'x'],
      /--negative-prompt is "x", but the guidance is 1.*leave --negative-prompt out, or give --guidance other/s,
    ],
  ])('%s: exit 2', async (_, argv, message) => {
    await sharp({ create: { width: 16, height: 8, channels: 3, background: 'red' } })
      .png()
      .toFile('wide.png');
    const result = await generate('--prompt', 'a', '--out', 'no.png', ...argv);
    expect(result).toMatchObject({ code: 2, log: expect.stringMatching(message) });
    expect(await readdir('.')).not.toContain('no.png');
  });
});
