/** @file What the trainer does with bad input: exit 2 and a message that names it, or exit 1 where the machine fails. */
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transfusionKind } from '../apps/trainer/src/kinds/transfusion';
import {
  abortedAtLook,
  checkpointHash,
  quietProgress,
  temporaryFolder,
  tiny,
  trainer,
  trainerState,
} from './support/trainer';

quietProgress();
const folder = temporaryFolder();
const runs = join(folder, 'runs');
const good = join(runs, 'good');

beforeAll(async () => {
  expect((await trainer(tiny(runs, 'good', { steps: 2 }))).code).toBe(0);
});

describe('configurations: exit 2, nothing written', () => {
  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };

  test.each<[string, () => string[], RegExp]>([
    ['an unknown key', () => ['--set', 'modell.preset=micro'], /modell: unknown key; did you mean "model"\?/],
    ['an unknown key inside', () => ['--set', 'data.imagesize=8'], /data\.imagesize.*did you mean "data\.imageSize"/],
    ['a word for a number', () => ['--set', 'batch.rows=many'], /batch\.rows: .*expected number.*"many"/],
    ['a number out of range', () => ['--set', 'ema.decay=1'], /ema\.decay: .*<1 \(got 1\)/],
    ['a fraction for a whole number', () => ['--set', 'steps=1.5'], /steps: .*int.*1\.5/],
    ['no value', () => ['--set', 'steps'], /--set steps: expected key=value/],
    ['no key', () => ['--set', '=5'], /--set =5: expected key=value/],
    ['a key of prototypes', () => ['--set', '__proto__.steps=1'], /__proto__/],
    ['a name that is a path', () => ['--set', 'name=../elsewhere'], /name: .*/],
    [
      'a name that is the folder above',
      () => ['--set', 'name=..'],
      /with --set has a problem:\s+name: expected letters/,
    ],
    ['more layers than can be traced', () => ['--set', 'model.layers=9999999'], /model\.layers: .*<=1024/],
    ['endless rows', () => ['--set', 'batch.sequenceLength=1000000000'], /batch\.sequenceLength: .*<=1048576/],
    ['an unknown option', () => ['--frobnicate'], /unknown option '--frobnicate'/],
    ['a value too many', () => ['--threads', '3'], /'--threads <n>' is given twice, with 2 and with 3/],
    ['a configuration that is not there', () => ['--config', join(folder, 'no.json')], /cannot read .*no\.json/],
    ['a configuration that is no JSON', () => ['--config', file('bad.json', '{ "steps": ')], /bad\.json/],
    ['a configuration that is a list', () => ['--config', file('list.json', '[1]')], /list\.json.*not a JSON object/],
    ['an unknown key in a file', () => ['--config', file('key.json', '{ "step": 5 }')], /key\.json[\s\S]*"steps"/],
  ])('%s', async (_, extra, message) => {
    const untouched = join(folder, 'untouched');
    const { code, text } = await trainer([...tiny(untouched, 'bad'), ...extra()]);
    expect(text).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(untouched)).toBe(false);
  });

  test('threads that are no number', async () => {
    const { code, text } = await trainer(['train', '--preset', 'tiny', '--threads', 'two']);
    expect([code, text]).toEqual([2, expect.stringMatching(/whole number from 1/)]);
  });

  test('an unknown preset names the nearest', async () => {
    const { code, text } = await trainer(['train', '--preset', 'tny', '--runs', join(folder, 'untouched')]);
    expect([code, text]).toEqual([2, expect.stringContaining("did you mean 'tiny'")]);
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['patches that do not fit the image', { patchSize: 5 }, /16 x 16 does not divide into patches of 5 x 5/],
    ['heads that do not divide channels', { 'model.heads': 3 }, /heads: .*head dimension.*\(got 3\)/],
    ['rows too short for a document', { 'batch.sequenceLength': 8 }, /sequenceLength is 8, .* takes \d+ positions/],
    ['a model too short for a document', { 'model.maxPositions': 8 }, /maxPositions is 8, .* takes \d+ positions/],
    [
      'a step rule of another schedule',
      { 'sampling.scheduler': 'euler' },
      /sampling\.scheduler: euler is for the flow/,
    ],
    ['more sampling steps than timesteps', { 'sampling.steps': 1001 }, /sampling\.steps: at most .* 1000/],
    ['a tokenizer that is not there', { 'tokenizer.file': join(folder, 'no.json') }, /tokenizer\.file.*no\.json/],
  ])('%s', async (_, set, message) => {
    const { code, text } = await trainer(tiny(join(folder, 'sizes', 'runs'), 'bad', set));
    expect(text).toMatch(message);
    expect(code).toBe(2);
  });

  test('a run of that name exists', async () => {
    const before = checkpointHash(good);
    const { code, text } = await trainer(tiny(runs, 'good', { steps: 1 }));
    expect(text).toMatch(/already holds a run[\s\S]*--resume/);
    expect(code).toBe(2);
    expect(checkpointHash(good)).toEqual(before);
  });
});

describe('folders to resume from: exit 2, which file and why', () => {
  /** A copy of the good run with something done to its checkpoint. */
  function damaged(name: string, damage: (model: string) => void): string {
    const copy = join(runs, name);
    cpSync(good, copy, { recursive: true });
    damage(join(copy, 'model'));
    return copy;
  }
  function emptyFolder(name: string): string {
    mkdirSync(join(runs, name));
    return join(runs, name);
  }
  const truncate = (file: string, bytes: number) => writeFileSync(file, readFileSync(file).subarray(0, bytes));

  test.each<[string, () => string, RegExp]>([
    ['a folder that is not there', () => join(runs, 'nobody'), /nobody.*does not exist/],
    ['a folder of something else', () => emptyFolder('other'), /other/],
    ["a run's checkpoint", () => join(good, 'model'), /good.model is a checkpoint.*\n.*give \S*good\b/],
    [
      'a model without training state',
      () => damaged('untrained', (model) => rmSync(join(model, 'trainer_state.json'))),
      /untrained has no checkpoint of a training run/,
    ],
    [
      'no optimizer state',
      () => damaged('lost', (model) => rmSync(join(model, 'optimizer.safetensors'))),
      /lost.model has no optimizer\.safetensors/,
    ],
    [
      'truncated tensors',
      () => damaged('short', (model) => truncate(join(model, 'optimizer.safetensors'), 5000)),
      /optimizer\.safetensors/,
    ],
    [
      'tensors cut down to nothing',
      () => damaged('empty', (model) => truncate(join(model, 'model.safetensors'), 0)),
      /model\.safetensors/,
    ],
    [
      'a state that is cut',
      () => damaged('cut', (model) => truncate(join(model, 'trainer_state.json'), 40)),
      /trainer_state\.json/,
    ],
    [
      "another model's optimizer",
      () =>
        damaged('foreign', (model) =>
          copyFileSync(join(model, 'model.safetensors'), join(model, 'optimizer.safetensors')),
        ),
      /optimizer\.safetensors.* (is missing|is not a tensor of this model)/,
    ],
    [
      'weights of another size',
      () =>
        damaged('resized', (model) => {
          const file = join(model, 'trainer_state.json');
          writeFileSync(file, readFileSync(file, 'utf8').replace('"channels": 64', '"channels": 32'));
        }),
      /parameters\.\w+ has \d+ elements, the configuration asks for \[\d+, 32\]/,
    ],
  ])('%s', async (_, prepare, message) => {
    const { code, text } = await trainer(['train', '--resume', prepare(), '--runs', runs, '--backend', 'wasm']);
    expect(text).toMatch(message);
    expect(code).toBe(2);
  });

  test.each([
    ['steps=-3', /steps: .*>=1 \(got -3\)/],
    ['steps=abc', /steps: .*expected number.*"abc"/],
    ['steps', /expected key=value/],
    ['model.layers=3', /keeps its configuration; got model\.layers=3/],
  ])('--resume with --set %s leaves the checkpoint as it is', async (set, message) => {
    const before = checkpointHash(good);
    const { code, text } = await trainer(['train', '--resume', good, '--runs', runs, '--set', set]);
    expect(text).toMatch(message);
    expect(code).toBe(2);
    expect(checkpointHash(good)).toEqual(before);
    expect((await transfusionKind.load(good)).state.config.steps).toBe(2);
  });
});

describe('failures while running: exit 1', () => {
  test('a loss that is no number names the step, and its advice can be followed', async () => {
    const run = join(runs, 'diverging');
    expect((await trainer(tiny(runs, 'diverging', { steps: 1 }))).code).toBe(0);
    const before = checkpointHash(run);
    const rate = { type: 'constant', learningRate: 1e30 };
    const set = { steps: 5, learningRate: rate };
    const { code, text } = await trainer([...tiny(runs, 'diverging', set), '--overwrite']);
    expect(text).toMatch(
      /TRAINING_DIVERGED: step 2: \w+ is (NaN|-?Infinity)[\s\S]*fix: set a lower learningRate[\s\S]*--resume/,
    );
    expect(code).toBe(1);
    // --overwrite replaced the checkpoint of before by its own first state, which --resume goes on from.
    expect(checkpointHash(run)).not.toEqual(before);
    expect(trainerState(run)).toMatchObject({ step: 0, config: { steps: 5 } });
    const slower = [
      'train',
      '--resume',
      run,
      '--runs',
      runs,
      '--backend',
      'wasm',
      '--set',
      'learningRate.learningRate=1e-3',
    ];
    expect(await trainer(slower)).toMatchObject({ code: 0, text: expect.stringContaining('at step 5') });
  });

  test('a checkpoint that was saved when the run had diverged already says that it is spoilt', async () => {
    const set = { steps: 5, checkpointEvery: 1, learningRate: { type: 'constant', learningRate: 1e30 } };
    expect((await trainer(tiny(runs, 'spoilt', set))).code).toBe(1);
    const resumed = ['train', '--resume', join(runs, 'spoilt'), '--runs', runs, '--backend', 'wasm'];
    const { code, text } = await trainer([...resumed, '--set', 'learningRate.learningRate=1e-4']);
    expect([code, text]).toEqual([
      1,
      expect.stringMatching(/TRAINING_DIVERGED: step 2.*diverged already\n.*--overwrite/),
    ]);
  });

  test('a place for runs that is a file', async () => {
    const { code } = await trainer(tiny(join(good, 'metrics.jsonl'), 'inside', { steps: 1 }));
    expect(code).toBe(1);
  });

  test('a run folder that vanishes before it is saved; the checkpoint from before still loads', async () => {
    const run = join(runs, 'blocked');
    const away = join(runs, 'blocked-away');
    // When told to stop, the folder has become a file: saving fails.
    const block = abortedAtLook(4, () => {
      renameSync(run, away);
      writeFileSync(run, 'in the way');
    });
    const { code, text } = await trainer(tiny(runs, 'blocked', { steps: 9, checkpointEvery: 2 }), block);
    expect(text).toMatch(/CHECKPOINT_WRITE_FAILED[\s\S]*blocked/);
    expect(code).toBe(1);
    rmSync(run);
    renameSync(away, run);
    expect((await transfusionKind.load(run)).state.step).toBe(2);
    expect(
      (await trainer(['train', '--resume', run, '--runs', runs, '--backend', 'wasm', '--set', 'steps=3'])).code,
    ).toBe(0);
  });
});
