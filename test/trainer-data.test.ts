/** @file What people train on: pictures with and without captions, one caption far too long, texts, data that change. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodePng } from '../packages/data/src/index';
import { quietProgress, temporaryFolder, tiny, tinyVae, trainer, trainerState } from './support/trainer';

const folder = temporaryFolder();
const runs = join(folder, 'runs');
quietProgress();

/** A folder of pictures of one colour each, with captions where there are any. */
function pictures(name: string, captions: (string | undefined)[]): string {
  const path = join(folder, name);
  mkdirSync(path);
  captions.forEach((caption, i) => addPicture(path, i, caption));
  return path;
}

function addPicture(path: string, i: number, caption?: string): void {
  const data = new Float32Array(8 * 8 * 3).fill(i / 20 - 0.5);
  writeFileSync(join(path, `p${i}.png`), encodePng({ width: 8, height: 8, data }));
  if (caption !== undefined) writeFileSync(join(path, `p${i}.txt`), caption);
}

const numbered = (count: number) => Array.from({ length: count }, (_, i) => `square ${i}`);
const own = (path: string, set: Record<string, unknown> = {}) => ({
  'data.dataset': 'folder',
  'data.folder': path,
  'data.demoSet': null,
  steps: 2,
  ...set,
});
const metrics = (name: string) =>
  readFileSync(join(runs, name, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('pictures without captions', () => {
  const path = pictures('bare', [undefined, undefined, undefined, undefined]);

  test('are refused by train with both ways out, and trained on where that is asked for', async () => {
    const refused = await trainer(tiny(runs, 'bare', own(path)));
    expect(refused).toMatchObject({
      code: 2,
      text: expect.stringMatching(/no caption[\s\S]*fix: .*--set data\.captions=none/),
    });
    const { code, text } = await trainer(tiny(runs, 'bare', own(path, { 'data.captions': 'none' })));
    expect([code, text]).toEqual([0, expect.stringContaining('3 pictures to train on, 1 held out')]);
  });

  test('are all that an autoencoder, and its latents, need', async () => {
    const vae = await trainer(tinyVae(runs, 'bare-vae', { ...own(path), 'loss.adversarial': 0 }));
    expect(vae).toMatchObject({ code: 0, text: expect.stringContaining('3 pictures to train on') });
    const codec = join(runs, 'bare-vae', 'model');
    const set = { ...own(path), codec, patchSize: 2, 'data.captions': 'none' };
    const latents = join(folder, 'bare-latents');
    const args = Object.entries(own(path, { codec })).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    const encoded = await trainer([
      'encode',
      '--preset',
      'tiny',
      '--runs',
      runs,
      '--backend',
      'wasm',
      ...args,
      '--out',
      latents,
    ]);
    expect(encoded).toMatchObject({ code: 0, text: expect.stringContaining('latents of 4 pictures') });
    expect(await trainer(tiny(runs, 'bare-latents', { ...set, 'data.latents': latents }))).toMatchObject({ code: 0 });
  });
});

test('latents are found by their picture: those of a folder serve a run on some of it', async () => {
  const path = pictures('some', [...numbered(6), undefined]);
  const codec = join(runs, 'some-vae', 'model');
  expect(await trainer(tinyVae(runs, 'some-vae', { ...own(path), 'loss.adversarial': 0 }))).toMatchObject({ code: 0 });
  const latents = join(folder, 'some-latents');
  const args = Object.entries(own(path, { codec })).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  await trainer(['encode', '--preset', 'tiny', '--runs', runs, '--backend', 'wasm', ...args, '--out', latents]);
  const set = own(path, { codec, patchSize: 2, 'data.latents': latents, 'data.allowBroken': 0.5 });
  const { code, text } = await trainer(tiny(runs, 'some', set));
  expect([code, text]).toEqual([0, expect.stringMatching(/skipped .*p6\.png.*no caption/)]);
  addPicture(path, 7, 'another');
  const more = await trainer(tiny(runs, 'some-more', set));
  expect(more).toMatchObject({
    code: 2,
    text: expect.stringMatching(/LATENTS_FOREIGN.*1 of the run's 7 pictures.*p7\.png/),
  });
});

test('one caption far longer than the others is cut, counted and named; rows stay short', async () => {
  const captions = numbered(16);
  captions[4] = Array.from({ length: 3000 }, (_, i) => i)
    .join(' ')
    .slice(0, 16_000);
  const path = pictures('one-long', captions);
  const { code, text } = await trainer([...tiny(runs, 'one-long', own(path)), '--dry-run']);
  expect(code).toBe(0);
  expect(text).toMatch(/1 of 16 captions have more than \d\d tokens and are cut: p4\.png \(\d{4}\)/);
  expect(Number(/rows x (\d+) positions/.exec(text)?.[1])).toBeLessThan(64);
});

describe('plain texts', () => {
  const texts = join(folder, 'texts');
  mkdirSync(texts);
  for (let i = 0; i < 6; i++) writeFileSync(join(texts, `t${i}.txt`), `once upon a time ${i}\n`.repeat(20));

  test('alone: their loss falls, held-out ones are scored, and what is written of them is kept', async () => {
    const set = {
      'data.dataset': 'none',
      'data.texts': texts,
      'data.heldOutFraction': 0.2,
      steps: 40,
      'sample.every': 20,
    };
    const { code, text } = await trainer(tiny(runs, 'texts', { ...set, logEvery: 1 }));
    expect([code, text]).toEqual([0, expect.stringMatching(/\d+ rows of plain text to train on, \d+ held out/)]);
    expect(text).not.toMatch(/pictures/);
    const lines = metrics('texts').filter(({ language }) => language !== undefined);
    expect(lines.at(-1).language).toBeLessThan(0.7 * lines[0].language);
    for (const { diffusion } of lines) expect(diffusion).toBeUndefined();
    const heldOut = metrics('texts').find((line) => line.heldOutTexts);
    expect(heldOut).toMatchObject({ step: 20, heldOutTexts: { language: expect.any(Number) } });
    expect(readdirSync(join(runs, 'texts', 'samples'))).toEqual(['step-20.txt', 'step-40.txt']);
    expect(readFileSync(join(runs, 'texts', 'samples', 'step-20.txt'), 'utf8')).toMatch(/^once upon.* \| /s);
  });

  test('beside pictures: both are learned, and a resumed run goes on with both', async () => {
    const path = pictures('with-texts', numbered(6));
    const set = own(path, { 'data.texts': texts, 'data.textShare': 0.25, 'batch.sequenceLength': 40 });
    const { code, text } = await trainer(tiny(runs, 'both', set));
    expect([code, text]).toEqual([0, expect.stringMatching(/pictures to train on.*; \d+ rows of plain text/)]);
    const resume = ['train', '--resume', join(runs, 'both'), '--runs', runs, '--backend', 'wasm', '--set', 'steps=3'];
    expect(await trainer(resume)).toMatchObject({ code: 0, text: expect.not.stringContaining('not those') });
    expect(trainerState(join(runs, 'both')).step).toBe(3);
  });

  test('neither texts nor pictures is refused', async () => {
    const { code, text } = await trainer(tiny(runs, 'nothing', { 'data.dataset': 'none' }));
    expect([code, text]).toEqual([
      2,
      expect.stringMatching(/CONFIG_DATA: .*neither data\.documents nor data\.texts is set/),
    ]);
  });
});

test('the loss of images is the mean over the steps that had one', async () => {
  const path = pictures('rare', numbered(6));
  const texts = join(folder, 'rare.jsonl');
  writeFileSync(texts, JSON.stringify({ text: 'once upon a time '.repeat(40) }));
  const set = { 'data.texts': texts, 'data.textShare': 0.9, 'batch.rows': 1, steps: 10 };
  for (const [name, logEvery] of Object.entries({ each: 1, all: 10 })) {
    expect(await trainer(tiny(runs, `rare-${name}`, own(path, { ...set, logEvery })))).toMatchObject({ code: 0 });
  }
  const losses = metrics('rare-each').flatMap(({ diffusion }) => diffusion ?? []);
  expect(losses).toHaveLength(1);
  expect(metrics('rare-all')[0].diffusion).toBeCloseTo(losses[0], 6);
});

test('long captions that are all to be skipped leave nothing, and that is said', async () => {
  const path = pictures('all-long', numbered(4));
  const set = { 'batch.sequenceLength': 21, 'data.longCaptions': 'skip' };
  const { code, text } = await trainer(tiny(runs, 'all-long', own(path, set)));
  expect([code, text]).toEqual([
    2,
    expect.stringMatching(/nothing is left to train on: 4 of 4 captions.*sequenceLength=\d+ takes/),
  ]);
});

test('a diverged autoencoder says that it diverged, not that its codec is damaged', async () => {
  const path = pictures('burst', numbered(4));
  const set = own(path, { steps: 9, checkpointEvery: 1, 'learningRate.learningRate': 1e30, 'loss.adversarial': 0 });
  const { code, text } = await trainer(tinyVae(runs, 'burst', set));
  expect([code, text]).toEqual([1, expect.stringMatching(/TRAINING_DIVERGED: .*\n.*here the rate was/)]);
});

describe('a resumed run', () => {
  const path = pictures('changing', numbered(8));
  const resume = (...set: string[]) =>
    trainer(['train', '--resume', join(runs, 'changing'), '--runs', runs, '--backend', 'wasm', ...set]);

  test('says nothing of data that are the same, and says it where they are not', async () => {
    expect(await trainer(tiny(runs, 'changing', own(path)))).toMatchObject({ code: 0 });
    expect((await resume('--set', 'steps=3')).text).not.toContain('not those');
    writeFileSync(join(path, 'p3.txt'), 'a circle');
    expect((await resume('--set', 'steps=4')).text).toMatch(
      /not those that the run was trained on until step 3: their number/,
    );
    addPicture(path, 8, 'one more');
    expect((await resume('--set', 'steps=5')).text).toMatch(/8 pictures then, 9 pictures now/);
    const vae = { ...own(path), 'loss.adversarial': 0 };
    expect(await trainer(tinyVae(runs, 'changing-vae', vae))).toMatchObject({ code: 0 });
    rmSync(join(path, 'p0.png'));
    const again = [
      'vae',
      '--resume',
      join(runs, 'changing-vae'),
      '--runs',
      runs,
      '--backend',
      'wasm',
      '--set',
      'steps=3',
    ];
    expect((await trainer(again)).text).toMatch(/9 pictures then, 8 pictures now/);
  });

  test('finds its texts where they have gone', async () => {
    const texts = join(folder, 'moving.jsonl');
    writeFileSync(texts, JSON.stringify({ text: 'once upon a time '.repeat(40) }));
    expect(await trainer(tiny(runs, 'moving', own(path, { 'data.texts': texts })))).toMatchObject({ code: 0 });
    renameSync(texts, join(folder, 'moved.jsonl'));
    const again = ['train', '--resume', join(runs, 'moving'), '--runs', runs, '--backend', 'wasm', '--set', 'steps=3'];
    expect(await trainer([...again, '--set', `data.texts=${join(folder, 'moved.jsonl')}`])).toMatchObject({ code: 0 });
    expect(await trainer(again)).toMatchObject({ code: 0 });
    renameSync(join(folder, 'moved.jsonl'), texts);
    expect((await trainer(again)).text).toMatch(/DATA_UNREADABLE: .*moved\.jsonl/);
  });

  test('that has nothing left to do says so, and only what it may be given', async () => {
    expect((await resume('--set', 'steps=1')).text).toMatch(/at step \d+ already, and steps is 1/);
    const { text } = await resume('--set', 'seed=1');
    expect(text).toMatch(/only these may be set: steps, .*data\.texts/);
    expect(text).not.toMatch(/sample\.scored/);
  });

  test('follows the advice that a diverged one gets: a lower rate', async () => {
    expect(await resume('--set', 'steps=6', '--set', 'learningRate.learningRate=1e-5')).toMatchObject({ code: 0 });
  });
});

test('a warm-up that outlasts the run is told', async () => {
  const set = { 'learningRate.warmupSteps': 100, steps: 2 };
  const { text } = await trainer([...tiny(runs, 'cold', set), '--dry-run']);
  expect(text).toMatch(/warms up for 100 of 2 steps, and the rate ends at 0\.0000\d+ instead of 0\.002/);
});

test('a folder that would not be looked at is refused', async () => {
  const { code, text } = await trainer(tiny(runs, 'unlooked', { 'data.folder': folder }));
  expect([code, text]).toEqual([
    2,
    expect.stringMatching(/data\.folder is .*, and data\.dataset is emoji[\s\S]*dataset=folder/),
  ]);
  expect(existsSync(join(runs, 'unlooked'))).toBe(false);
});

test('a configuration with a byte order mark is read', async () => {
  const file = join(folder, 'bom.json');
  writeFileSync(file, `\ufeff${JSON.stringify({ steps: 1 })}`);
  expect(await trainer([...tiny(runs, 'bom'), '--config', file])).toMatchObject({ code: 0 });
  expect(trainerState(join(runs, 'bom')).step).toBe(1);
});
