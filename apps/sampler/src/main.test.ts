import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodePng, encodePng } from '@transfusion/data';
import { createSampler, type GenerateOptions } from '@transfusion/sampler';
import { openModelFolder } from '@transfusion/sampler/node';
import { openWasm } from '@transfusion/wasm';
import sharp from 'sharp';
import { CPU, inFolderWithModel, runSampler } from './testing/run-sampler.js';
import { tinyKl, writeTinyModelFolder } from './testing/tiny-model-folder.js';

const place = inFolderWithModel();

const sampler = (...argv: string[]) => runSampler(argv);
const runWith = (signal: AbortSignal, argv: string[]) => runSampler(argv, signal);
const cpu = CPU;
const generate = (...more: string[]) => sampler('generate', '--model', place.model, ...cpu, ...more);
const caption = (...more: string[]) => sampler('caption', '--model', place.model, '--max-tokens', '4', ...cpu, ...more);
const goOn = (...more: string[]) => sampler('continue', '--model', place.model, ...cpu, ...more);

/** What the library writes, without the command; and what of its texts came as they ended. */
async function generated(options: { prompt: string; draw: boolean } & Omit<GenerateOptions, 'prompt'>) {
  const { prompt, draw, ...limits } = options;
  const backend = await openWasm({ threads: 1 });
  try {
    const library = createSampler({ backend, ...(await openModelFolder(place.model, backend)) });
    const given = { ...limits, prompt: [{ text: prompt }], forceImage: draw, text: { temperature: 1 } };
    let heldBack = '';
    for await (const event of library.generate(given)) {
      if (event.type === 'text') heldBack += event.text;
      if (event.type === 'done') return { parts: event.parts, heldBack };
    }
    throw new Error('no end');
  } finally {
    await backend.dispose();
  }
}

const read = async (path: string) => decodePng(await readFile(path));
const noTemporaryFiles = async () =>
  expect((await readdir(place.folder, { recursive: true })).filter((name) => name.endsWith('.tmp'))).toEqual([]);

describe('generate', () => {
  test('draws one image, the same for the same seed', async () => {
    const first = await generate('--prompt', 'red', '--out', 'a.png', '--seed', '5');
    expect(first).toMatchObject({ code: 0, out: 'a.png' });
    expect(first.log).toMatch(/^backend: wasm, .*1 thread/);
    const image = await read('a.png');
    expect([image.width, image.height]).toEqual([8, 8]);
    await generate('--prompt', 'red', '--out', 'again.png', '--seed', '5');
    expect(await readFile('again.png')).toEqual(await readFile('a.png'));
    await generate('--prompt', 'red', '--out', 'other.png', '--seed', '6');
    expect(await readFile('other.png')).not.toEqual(await readFile('a.png'));
    await noTemporaryFiles();
  });

  test('several images: a grid, and each beside it, in a folder that is made', async () => {
    const options = ['--n', '3', '--scale', '2', '--steps', '2', '--guidance', '1', '--scheduler', 'ddpm'];
    const result = await generate('--prompt', 'red', '--out', 'made/b.png', ...options);
    expect(result.code).toBe(0);
    expect(result.out.split('\n')).toEqual(['made/b.png', 'made/b-1.png', 'made/b-2.png', 'made/b-3.png']);
    // Two columns and two rows of 16 pixels, with gaps of 2 between and around.
    expect(await read('made/b.png')).toMatchObject({ width: 38, height: 38 });
    expect(await read('made/b-1.png')).toMatchObject({ width: 16, height: 16 });
    expect(await readFile('made/b-1.png')).not.toEqual(await readFile('made/b-2.png'));
  });

  test.each([
    ['empty', ''],
    ['with NUL', 'a\0b'],
    ['with unpaired surrogates', 'a\ud800b\udc00'],
    ['that spells control tokens', '<boi><|boi|>'],
  ])('takes a prompt %s', async (_, prompt) => {
    expect((await generate('--prompt', prompt, '--out', 'p.png', '--steps', '1')).code).toBe(0);
  });

  test('a prompt longer than the context: exit 2, with the limit', async () => {
    const result = await generate('--prompt', 'x'.repeat(60), '--out', 'long.png');
    expect(result.code).toBe(2);
    expect(result.log).toMatch(/SAMPLER_CONTEXT: .* takes 66 positions, the model has 48/);
    expect(await readdir(place.folder)).not.toContain('long.png');
  });

  test('an output that cannot be written: exit 1, before the model is even read', async () => {
    await writeFile('plain', '');
    const below = await sampler('generate', '--model', 'nothing', '--prompt', 'a', '--out', 'plain/a.png');
    expect(below).toMatchObject({
      code: 1,
      log: expect.stringMatching(/OUTPUT_UNWRITABLE: cannot write plain.a\.png/),
    });
    await mkdir('folder.png');
    const onFolder = await generate('--prompt', 'a', '--out', 'folder.png');
    expect(onFolder).toMatchObject({ code: 1, log: expect.stringContaining('it is a folder') });
    const other = await generate('--prompt', 'a', '--out', 'a.jpg');
    expect(other).toMatchObject({ code: 2, log: expect.stringContaining('use --out a.png') });
  });

  test('Ctrl-C: exit 130, nothing written', async () => {
    const result = await runWith(AbortSignal.abort(), [
      ...['generate', '--model', place.model, '--prompt', 'a', '--out', 'never.png', ...cpu],
    ]);
    expect(result).toMatchObject({ code: 130, log: expect.stringContaining('cancelled') });
    expect(await readdir(place.folder)).not.toContain('never.png');
  });
});

describe('the command line', () => {
  test.each([
    [
      'an unknown flag',
      ['generate', '--prompt', 'a', '--out', 'a.png', '--guidence', '2'],
      /unknown option '--guidence'.*--guidance/s,
    ],
    ['a missing flag', ['generate', '--out', 'a.png'], /generate needs --prompt.*--like FILE\.png/s],
    ['an unknown command', ['draw'], /unknown command 'draw'/],
    ['a bad number', ['generate', '--prompt', 'a', '--out', 'a.png', '--n', '0'], /--n .*whole number from 1 to 1024/],
    [
      'a bad guidance',
      ['generate', '--prompt', 'a', '--out', 'a.png', '--guidance', 'x'],
      /--guidance .*give a number/,
    ],
    ['a bad strength', ['generate', '--strength', '1.5'], /--strength .*give a number above 0, at most 1/],
    ['no strength', ['generate', '--strength', '0'], /--strength .*give a number above 0, at most 1/],
    ['a drawing without images', ['continue', '--draw', '--max-images', '0', '--out', 'x'], /--draw .*--max-images 0/],
    ['a picture to draw again that is not there', ['generate', '--like', 'no.png'], /no\.png: it does not exist/],
    ['a bad choice', ['info', '--backend', 'cuda'], /'cuda' is invalid.*auto, wasm, webgpu/],
    ['no image', ['caption'], /required option '--image/],
    ['a word too many', ['generate', '--prompt', 'red', 'heart'], /unexpected word 'heart'.*--prompt "red heart"/],
    ['a word for an option', ['info', 'folder'], /unexpected word 'folder'; did you mean --model folder\?/],
    ['an option of another command', ['edit', '--from', 'a.png'], /unknown option '--from'; did you mean --image\?/],
    ['two values for one', ['edit', '--image', 'a', '--image', 'b'], /'--image <file>' is given twice/],
  ])('%s: exit 2', async (_, argv, message) => {
    const result = await sampler(...argv);
    expect(result.code).toBe(2);
    expect(result.log).toMatch(message);
    expect(result.log).not.toMatch(/\n\s+at /);
  });

  test('options that contradict each other or the model: exit 2', async () => {
    const both = await sampler('info', '--model', place.model, '--backend', 'wasm', '--require-gpu');
    expect(both).toMatchObject({ code: 2, log: expect.stringContaining('--require-gpu') });
    const euler = await generate('--prompt', 'a', '--out', 'e.png', '--scheduler', 'euler');
    expect(euler).toMatchObject({ code: 2, log: expect.stringContaining('SCHEDULER_CONFIG_INVALID') });
    const steps = await generate('--prompt', 'a', '--out', 'e.png', '--steps', '2000');
    expect(steps).toMatchObject({ code: 2, log: expect.stringContaining('whole number from 1 to 1000') });
  });

  test('options of one scheduler reach it, and are refused by the others: exit 2', async () => {
    const draw = async (of: string, out: string, ...more: string[]) => {
      const common = ['--prompt', 'a', '--out', out, '--steps', '3', ...cpu];
      const { code, log } = await sampler('generate', '--model', of, ...common, ...more);
      return code === 0 ? readFile(out) : { code, log };
    };
    const trailing = await draw(place.model, 'trailing.png');
    expect(await draw(place.model, 'named.png', '--spacing', 'trailing')).toEqual(trailing);
    expect(await draw(place.model, 'even.png', '--spacing', 'even')).not.toEqual(trailing);
    const refused = { code: 2, log: expect.stringContaining('the ddim scheduler has no shift') };
    expect(await draw(place.model, 'x.png', '--shift', '3')).toEqual(refused);

    await writeTinyModelFolder('flow');
    const file = join('flow', 'config.json');
    const config = JSON.parse(await readFile(file, 'utf8'));
    Object.assign(config.diffusion, { schedule: 'flow', parameterisation: 'flow' });
    Object.assign(config.sampling, { scheduler: 'euler' });
    await writeFile(file, JSON.stringify(config));
    const even = await draw('flow', 'flow.png');
    expect(await draw('flow', 'flow-1.png', '--shift', '1')).toEqual(even);
    expect(await draw('flow', 'flow-3.png', '--shift', '3')).not.toEqual(even);
    for (const [wrong, message] of [
      [['--shift', '0'], /shift/],
      [['--spacing', 'even'], /the euler scheduler has no spacing/],
      [['--spacing', 'odd'], /'odd' is invalid.*trailing, leading, even/],
    ] as const) {
      expect(await draw('flow', 'x.png', ...wrong)).toEqual({ code: 2, log: expect.stringMatching(message) });
    }
    expect(await readdir(place.folder)).not.toContain('x.png');
  });

  test('--help teaches with examples', async () => {
    const result = await sampler('--help');
    expect(result.code).toBe(0);
    expect(result.out).toContain('sampler generate --prompt "red heart, 3d style"');
    expect((await sampler('generate', '--help')).out).toContain('--guidance');
  });
});

describe('model folders', () => {
  test('info tells what is in one, and what would run', async () => {
    const { code, out } = await sampler('info', '--model', place.model, ...cpu);
    expect(code).toBe(0);
    expect(out).toMatch(/^parameters {2}[\d,]+ in \d+ tensors, 0\.0 MiB/m);
    expect(out).toMatch(/^images {6}8 x 8 pixels as 4 patches of 4 x 4 pixels$/m);
    expect(out).toMatch(/^codec {7}pixels$/m);
    expect(out).toMatch(/^tokenizer {3}261 ids$/m);
    expect(out).toMatch(/^training {4}step 123$/m);
    expect(out).toMatch(/^backend {5}wasm, WebAssembly on the CPU: 1 thread/m);
  });

  test('missing, foreign and truncated ones: exit 2, with the file', async () => {
    const tell = async (path: string) => sampler('info', '--model', path, ...cpu);
    expect(await tell('nothing')).toMatchObject({ code: 2, log: expect.stringMatching(/CHECKPOINT_MISSING.*nothing/) });
    const none = await sampler('info', ...cpu);
    expect(none).toMatchObject({ code: 2, log: expect.stringMatching(/MODEL_MISSING.*npm run demo/s) });

    await mkdir('foreign');
    await writeFile('foreign/config.json', '{"model_type":"llama"}');
    expect(await tell('foreign')).toMatchObject({ code: 2, log: expect.stringMatching(/foreign.config\.json/) });

    await writeTinyModelFolder('cut');
    const file = join('cut', 'model.safetensors');
    await writeFile(file, (await readFile(file)).subarray(0, 3000));
    expect(await tell('cut')).toMatchObject({ code: 2, log: expect.stringMatching(/cut.model\.safetensors/) });
  });

  test('a NaN in the autoencoder is an error that names it, and no picture', async () => {
    await writeTinyModelFolder('nan', tinyKl);
    const file = join('nan', 'vae', 'diffusion_pytorch_model.safetensors');
    const bytes = await readFile(file);
    const length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
    bytes.writeFloatLE(Number.NaN, 8 + length + header['decoder.conv_out.bias'].data_offsets[0] + 4);
    await writeFile(file, bytes);
    const result = await sampler('generate', '--model', 'nan', '--prompt', 'a', '--out', 'nan.png', ...cpu);
    expect(result).toMatchObject({ code: 2, log: expect.stringMatching(/nan.vae.*decoder\.conv_out\.bias.*NaN/) });
    expect(await readdir('.')).not.toContain('nan.png');
  });

  test("a run's folder instead of its model's names the model's", async () => {
    await writeTinyModelFolder(join('run', 'model'));
    const result = await sampler('info', '--model', 'run', ...cpu);
    expect(result).toMatchObject({ code: 2, log: expect.stringMatching(/run.model/) });
  });

  test('what a model has never seen is told, where it is asked for it', async () => {
    await writeTinyModelFolder('partial');
    const file = join('partial', 'config.json');
    const config = JSON.parse(await readFile(file, 'utf8'));
    const tell = async (trainedOn: object, ...argv: string[]) => {
      await writeFile(file, JSON.stringify({ ...config, trainedOn }));
      const { code, log, out } = await sampler(...argv, '--model', 'partial', ...cpu);
      expect(code).toBe(0);
      return log + out;
    };
    const draw = ['generate', '--out', 'partial.png', '--steps', '2', '--prompt'];
    const describe = ['caption', '--max-tokens', '1', '--image', 'partial.png'];
    const all = { pictures: true, captions: true, texts: false };
    expect(await tell(all, ...draw, 'a')).not.toContain('trained on');
    expect(await tell(all, 'info')).toMatch(/^trained on {2}pictures with captions$/m);
    const bare = { ...all, captions: false };
    expect(await tell(bare, ...draw, 'a')).toContain('it draws whatever the text says');
    expect(await tell(bare, ...draw, '')).not.toContain('trained on');
    expect(await tell(bare, ...describe)).toContain('it cannot describe them');
    const texts = { pictures: false, captions: false, texts: true };
    for (const argv of [[...draw, 'a'], describe])
      expect(await tell(texts, ...argv)).toContain('has never seen a picture');
    expect(await tell(texts, 'info')).toMatch(/^trained on {2}texts$/m);
  });

  test('documents are told, and edits where a model never saw any', async () => {
    await writeTinyModelFolder('documents');
    const file = join('documents', 'config.json');
    const config = JSON.parse(await readFile(file, 'utf8'));
    const tell = async (trainedOn: object, ...argv: string[]) => {
      await writeFile(file, JSON.stringify({ ...config, trainedOn }));
      const { code, log, out } = await sampler(...argv, '--model', 'documents', ...cpu);
      expect(code).toBe(0);
      return log + out;
    };
    await generate('--prompt', 'x', '--out', 'plain.png', '--steps', '1');
    const edit = ['edit', '--image', 'plain.png', '--prompt', 'a', '--out', 'changed.png', '--steps', '1'];
    const draw = ['generate', '--prompt', 'a', '--out', 'drawn.png', '--steps', '1'];
    const alone = { pictures: false, captions: false, documents: true, edits: false, texts: false };
    expect(await tell(alone, 'info')).toMatch(/^trained on {2}documents of texts and pictures$/m);
    expect(await tell(alone, ...draw)).not.toContain('trained on');
    expect(await tell(alone, ...edit)).toContain('this model was never trained on edits');
    const edits = { ...alone, pictures: true, captions: true, edits: true, texts: true };
    expect(await tell(edits, 'info')).toMatch(
      /^trained on {2}pictures with captions, documents of texts and pictures \(edits among them\) and texts$/m,
    );
    expect(await tell(edits, ...edit)).not.toContain('trained on');
    // A folder of before does not say whether.
    expect(await tell({ pictures: true, captions: true, texts: false }, ...edit)).not.toContain('trained on');
  });
});

describe('caption', () => {
  test('one line for each image, in their order', async () => {
    await generate('--prompt', 'x', '--out', 'c.png');
    await generate('--prompt', 'y', '--out', 'd.png', '--seed', '3');
    const both = await caption('--image', 'c.png', 'd.png');
    expect(both.code).toBe(0);
    const alone = [await caption('--image', 'c.png'), await caption('--image', 'd.png')];
    expect(both.out).toBe(alone.map(({ out }) => out).join('\n'));
  });

  test('reads CMYK, animations, transparency, gray', async () => {
    const plain = { create: { width: 20, height: 10, channels: 3 as const, background: '#c04020' } };
    await sharp(plain).toColourspace('cmyk').jpeg().toFile('cmyk.jpg');
    await sharp(plain).grayscale().png().toFile('gray.png');
    await sharp({ create: { ...plain.create, channels: 4, background: '#ff000080' } })
      .webp()
      .toFile('clear.webp');
    const frames = Buffer.alloc(8 * 16 * 3).fill(200, 0, 8 * 8 * 3);
    await sharp(frames, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } })
      .gif()
      .toFile('moving.gif');
    const files = ['cmyk.jpg', 'gray.png', 'clear.webp', 'moving.gif'];
    const result = await caption('--image', ...files);
    expect(result.code).toBe(0);
    expect(result.out.split('\n')).toHaveLength(4);
  });

  test.each([
    ['missing', undefined, /there is no such file/],
    ['empty', Buffer.alloc(0), /it is empty/],
    ['not an image', Buffer.from('hello'), /IMAGE_UNREADABLE/],
  ])('an image that is %s: exit 2', async (name, bytes, message) => {
    const path = `${name.replaceAll(' ', '-')}.png`;
    if (bytes) await writeFile(path, bytes);
    const result = await caption('--image', path);
    expect(result.code).toBe(2);
    expect(result.log).toMatch(message);
    expect(result.log).toContain(path);
    expect(result.log).not.toMatch(/\n\s+at /);
  });

  test('a truncated image, and one that is 100,000 pixels wide: exit 2', async () => {
    await generate('--prompt', 'x', '--out', 'whole.png', '--scale', '8');
    await writeFile('half.png', (await readFile('whole.png')).subarray(0, 200));
    expect(await caption('--image', 'half.png')).toMatchObject({ code: 2, log: expect.stringMatching(/half\.png/) });
    await sharp({ create: { width: 100_000, height: 2, channels: 3, background: 'red' } })
      .png()
      .toFile('wide.png');
    expect(await caption('--image', 'wide.png')).toMatchObject({
      code: 2,
      log: expect.stringMatching(/IMAGE_TOO_LARGE: wide\.png: it is 100000 x 2 pixels/),
    });
  });
});

describe('continue', () => {
  test('takes texts and images in their order, writes texts and images', async () => {
    await generate('--prompt', 'x', '--out', 'in.png');
    const prompt = ['--text', 'look: ', '--image', 'in.png', '--text', ' and'];
    const options = ['--draw', '--max-images', '1', '--max-tokens', '3', '--temperature', '1', '--top-k', '50'];
    const result = await goOn(...prompt, ...options, '--out', 'story');
    expect(result.code).toBe(0);
    expect(result.log).toMatch(/ended at --max-tokens|the model ended the document/);
    const files = (await readdir('story')).sort();
    expect(files[0]).toBe('001.png');
    expect(await read('story/001.png')).toMatchObject({ width: 8, height: 8 });
    expect(result.out).toContain(join('story', '001.png'));
    if (files.length > 1) expect(result.out).toContain(await readFile(join('story', files[1]), 'utf8'));
    await noTemporaryFiles();
  });

  test('the order of the parts matters', async () => {
    const tell = async (name: string, ...parts: string[]) =>
      (await goOn(...parts, '--max-images', '0', '--max-tokens', '12', '--out', name)).out;
    const first = await tell('order1', '--text', 'abc', '--image', 'in.png');
    expect(await tell('order2', '--text', 'abc', '--image', 'in.png')).toBe(first);
    expect(await tell('order3', '--image', 'in.png', '--text', 'abc')).not.toBe(first);
  });

  test.each([
    ['that ends in the middle of a character', { prompt: 'abc', seed: 4, maxTokens: 12, maxImages: 0, draw: false }],
    ['with images between', { prompt: 'look', seed: 9, maxTokens: 16, maxImages: 2, draw: true }],
  ])('prints and writes all of a document %s', async (_, { prompt, seed, maxTokens, maxImages, draw }) => {
    const { parts, heldBack } = await generated({ prompt, seed, maxTokens, maxImages, draw });
    expect(heldBack).not.toBe('');
    const limits = ['--max-tokens', `${maxTokens}`, '--max-images', `${maxImages}`, '--temperature', '1'];
    const name = `whole-${seed}`;
    const more = ['--seed', `${seed}`, ...limits, ...(draw ? ['--draw'] : []), '--out', name];
    const result = await goOn('--text', prompt, ...more);
    expect(result.code).toBe(0);
    const files = parts.map((part, i) => join(name, `00${i + 1}.${'text' in part ? 'txt' : 'png'}`));
    expect((await readdir(name)).sort().map((file) => join(name, file))).toEqual(files);
    expect(result.out).toBe(parts.map((part, i) => ('text' in part ? part.text : files[i])).join('\n'));
    for (const [i, part] of parts.entries()) {
      if ('text' in part) expect(await readFile(files[i], 'utf8')).toBe(part.text);
      else expect(await read(files[i])).toEqual(decodePng(encodePng(part.image)));
    }
  });

  test('says where it wrote nothing, and of a picture that is not there that it is not', async () => {
    const none = await goOn('--text', 'a', '--max-tokens', '0', '--max-images', '0', '--out', 'none');
    expect(none).toMatchObject({ code: 0, log: expect.stringMatching(/it wrote nothing, and there is no file$/) });
    expect(await readdir(place.folder)).not.toContain('none');
    const missing = await goOn('--image', 'no.png', '--out', 'none');
    expect(missing).toMatchObject({
      code: 2,
      log: expect.stringMatching(/no\.png: there is no such file\n {2}fix: correct/),
    });
  });

  test('does not mix its files with others', async () => {
    const result = await goOn('--text', 'a', '--out', place.folder);
    expect(result).toMatchObject({ code: 2, log: expect.stringContaining('OUTPUT_EXISTS') });
  });
});

describe('a model of the latents of an autoencoder', () => {
  const latentModel = () => join(place.folder, 'latent');
  const command = (name: string, ...more: string[]) => sampler(name, '--model', latentModel(), ...cpu, ...more);
  beforeAll(() => writeTinyModelFolder(latentModel(), tinyKl));

  test('info tells the codec', async () => {
    const { code, out } = await command('info');
    expect(code).toBe(0);
    expect(out).toMatch(/^images {6}8 x 8 pixels as 4 patches of 2 x 2 latents$/m);
    expect(out).toMatch(
      /^codec {7}kl, downsampling 2, 4 latent channels, 15,223 parameters in 120 tensors, 0\.1 MiB as f32$/m,
    );
  });

  test('generate, caption and continue work with it', async () => {
    const draw = (out: string, seed: string) => command('generate', '--prompt', 'red', '--out', out, '--seed', seed);
    expect(await draw('latent-1.png', '1')).toMatchObject({ code: 0, out: 'latent-1.png' });
    expect(await draw('latent-2.png', '2')).toMatchObject({ code: 0 });
    expect(await read('latent-1.png')).toMatchObject({ width: 8, height: 8 });
    expect(await readFile('latent-1.png')).not.toEqual(await readFile('latent-2.png'));

    const captions = await command('caption', '--image', 'latent-1.png', 'latent-2.png', '--max-tokens', '4');
    expect(captions.code).toBe(0);
    expect(captions.out.split('\n')).toHaveLength(2);

    const prompt = ['--text', 'look: ', '--image', 'latent-1.png', '--draw'];
    const story = await command(
      'continue',
      ...prompt,
      '--max-images',
      '1',
      '--max-tokens',
      '3',
      '--out',
      'latent-story',
    );
    expect(story.code).toBe(0);
    expect(await read('latent-story/001.png')).toMatchObject({ width: 8, height: 8 });
  });

  test('without its autoencoder: exit 2, with the file', async () => {
    await writeTinyModelFolder('headless', tinyKl);
    await rm(join('headless', 'vae'), { recursive: true });
    for (const argv of [['info'], ['generate', '--prompt', 'a', '--out', 'headless.png']]) {
      expect(await sampler(...argv, '--model', 'headless', ...cpu)).toMatchObject({
        code: 2,
        log: expect.stringMatching(/CHECKPOINT_MISSING: headless has no vae.config\.json/),
      });
    }
    expect(await readdir(place.folder)).not.toContain('headless.png');
  });
});
