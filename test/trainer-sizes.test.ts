/** @file Runs on pictures of several sizes: what is in the model's folder, what is told, what is refused, going on. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodePng, imageSizeToken } from '../packages/data/src/index';
import { Tokenizer } from '../packages/tokenizer/src/index';
import { checkpointHash, quietProgress, temporaryFolder, tiny, trainer } from './support/trainer';

const folder = temporaryFolder();
const runs = join(folder, 'runs');
quietProgress();

const pictures = join(folder, 'pictures');
beforeAll(() => {
  mkdirSync(pictures);
  for (let i = 0; i < 6; i++) {
    const [width, height] = i % 2 === 0 ? [20, 9] : [9, 10];
    const data = new Float32Array(width * height * 3).fill(i / 10 - 0.5);
    writeFileSync(join(pictures, `p${i}.png`), encodePng({ width, height, data }));
    writeFileSync(join(pictures, `p${i}.txt`), `${i % 2 === 0 ? 'wide' : 'square'} ${i}`);
  }
});
const set = (sizes: string[], more: Record<string, unknown> = {}) => ({
  'data.dataset': 'folder',
  'data.folder': pictures,
  'data.imageSizes': JSON.stringify(sizes),
  'data.demoSet': null,
  ...{ steps: 4, checkpointEvery: 2, patchSize: 4, ...more },
});
const read = (name: string, file: string) => JSON.parse(readFileSync(join(runs, name, 'model', file), 'utf8'));

test('each picture has the nearest size, a token announces it, and a run goes on to the same bits', async () => {
  const sizes = ['8x8', '16x8', '8x24'];
  const whole = await trainer(tiny(runs, 'whole', set(sizes)));
  expect([whole.code, whole.text]).toEqual([0, expect.stringContaining('no picture is nearest to 8x24')]);
  const { image, model } = read('whole', 'config.json');
  expect(image).toEqual({
    ...{ size: 8, announced: true, channels: 3 },
    sizes: [
      { width: 8, height: 8 },
      { width: 16, height: 8 },
    ],
  });
  const tokenizer = new Tokenizer(read('whole', 'tokenizer.json'));
  const tokens = image.sizes.map((size: { width: number; height: number }) =>
    tokenizer.specialTokens.get(imageSizeToken(size)),
  );
  expect(tokens).toEqual([model.vocabularySize - 2, model.vocabularySize - 1]);

  expect(await trainer(tiny(runs, 'parts', set(sizes, { steps: 2 })))).toMatchObject({ code: 0 });
  const resumed = await trainer(['train', '--resume', join(runs, 'parts'), '--set', 'steps=4', '--backend', 'wasm']);
  expect(resumed.code).toBe(0);
  expect(checkpointHash(join(runs, 'parts'))).toEqual(checkpointHash(join(runs, 'whole')));
}, 60_000);

test('without tokens where that is asked for; a dry run tells the sizes', async () => {
  const sizes = ['16x8', '8x8'];
  const silent = await trainer(tiny(runs, 'silent', set(sizes, { 'data.announceSizes': false, steps: 1 })));
  expect(silent.code).toBe(0);
  const { image, model } = read('silent', 'config.json');
  expect(image).toMatchObject({ size: { width: 16, height: 8 }, announced: false });
  expect(image.sizes).toHaveLength(2);
  expect([...new Tokenizer(read('silent', 'tokenizer.json')).specialTokens.keys()]).toHaveLength(5);
  const planned = await trainer([...tiny(runs, 'dry', set(sizes)), '--dry-run']);
  expect(planned.text).toMatch(/image sizes {7}3 of 16x8, 3 of 8x8; announced by tokens/);
  expect(planned.text).toContain(`vocabulary        ${model.vocabularySize + 2} token ids`);
}, 60_000);

describe('a model that announces sizes goes on announcing all of them', () => {
  const squares = join(folder, 'squares');
  const sizesOf = (name: string) => read(name, 'config.json').image;
  beforeAll(async () => {
    mkdirSync(squares);
    for (let i = 0; i < 3; i++) {
      const data = new Float32Array(9 * 9 * 3).fill(i / 4 - 0.5);
      writeFileSync(join(squares, `q${i}.png`), encodePng({ width: 9, height: 9, data }));
      writeFileSync(join(squares, `q${i}.txt`), `square ${i}`);
    }
    expect((await trainer(tiny(runs, 'base', set(['8x8', '16x8'], { steps: 2 })))).code).toBe(0);
  }, 60_000);

  test('resumed on pictures of one of them', async () => {
    const fields = ['--set', `data.folder=${squares}`, '--set', 'steps=4', '--backend', 'wasm'];
    expect((await trainer(tiny(runs, 'moved', set(['8x8', '16x8'], { steps: 2 })))).code).toBe(0);
    expect(await trainer(['train', '--resume', join(runs, 'moved'), ...fields])).toMatchObject({ code: 0 });
    expect(sizesOf('moved')).toEqual(sizesOf('base'));
  }, 60_000);

  test.each<[string, Record<string, unknown>]>([
    ['pictures of one of them', { 'data.dataset': 'folder', 'data.folder': squares }],
    ['emoji of one of them', { 'data.dataset': 'emoji' }],
  ])(
    'fine-tuned on %s',
    async (what, data) => {
      const name = `tuned-${what.slice(0, 5)}`;
      const demoSet = what.startsWith('emoji') ? 4 : null;
      const argv = tiny(runs, name, { ...data, steps: 2, 'data.demoSet': demoSet });
      const result = await trainer([...argv, '--finetune', join(runs, 'base', 'model')]);
      expect([result.code, result.text]).toEqual([0, expect.any(String)]);
      expect(sizesOf(name)).toEqual(sizesOf('base'));
    },
    60_000,
  );

  test('other sizes are refused before any picture is read, with those that it knows', async () => {
    const missing = { 'data.folder': join(folder, 'missing') };
    const refused = async (given: Record<string, unknown>) =>
      trainer([...tiny(runs, 'x', given), '--finetune', join(runs, 'base', 'model')]);
    expect(await refused(set(['8x8', '8x16'], missing))).toMatchObject({
      code: 2,
      text: expect.stringMatching(
        /CONFIG_FINETUNE.*announces images of 8x8, 16x8; asked for are 8x16.*data\.imageSizes=\["8x8","16x8"\]/s,
      ),
    });
    expect(await refused(set(['8x8'], { ...missing, 'data.announceSizes': false }))).toMatchObject({
      code: 2,
      text: expect.stringMatching(/announceSizes is false, and the model of .* announces sizes/),
    });
  });
});

test('a model that announces no sizes learns several without', async () => {
  expect((await trainer(tiny(runs, 'plain', { steps: 1, 'data.demoSet': 2, patchSize: 4 }))).code).toBe(0);
  const start = (name: string, more: Record<string, unknown> = {}) =>
    trainer([
      ...tiny(runs, name, { ...set(['8x8', '16x8'], { steps: 1, ...more }), patchSize: 4 }),
      ...['--finetune', join(runs, 'plain', 'model')],
    ]);
  expect(await start('several')).toMatchObject({ code: 0 });
  const { image } = read('several', 'config.json');
  expect([image.announced, image.sizes]).toEqual([
    false,
    [
      { width: 8, height: 8 },
      { width: 16, height: 8 },
    ],
  ]);
  expect(await start('never', { 'data.announceSizes': true })).toMatchObject({
    code: 2,
    text: expect.stringMatching(/CONFIG_FINETUNE: data\.announceSizes is true, and the model .* no tokens/),
  });
}, 60_000);

test('sizes that do not divide into patches, and datasets of one size, are refused before any picture is read', async () => {
  const missing = { 'data.folder': join(folder, 'missing') };
  expect(await trainer(tiny(runs, 'x', set(['8x8', '10x8'], missing)))).toMatchObject({
    code: 2,
    text: expect.stringMatching(/CONFIG_PATCH_SIZE: patchSize: an image of 10 x 8 /),
  });
  expect(await trainer(tiny(runs, 'x', { 'data.imageSizes': '["8x8"]' }))).toMatchObject({
    code: 2,
    text: expect.stringMatching(
      /data\.imageSizes: is for pictures of your own, dataset=folder or documents; those of emoji/,
    ),
  });
});
