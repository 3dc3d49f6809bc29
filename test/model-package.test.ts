/** @file A run becomes the package of a model: exported, hashed, with its card; opened by its name, and from its own list of files. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { transformSync } from '@swc/core';
import { readModelFolder } from '@transfusion/sampler/node';
import { filesModule, takeRun } from '../packages/emoji-64/scripts/take-run.mjs';
import { quietProgress, temporaryFolder, tiny, tinyVae, trainer } from './support/trainer';

const { load } = createRequire(__filename)('js-yaml') as { load(text: string): unknown };
const NAME = '@transfusion/emoji-64';
const source = join(__dirname, '../packages/emoji-64');
const home = process.cwd();
const folder = temporaryFolder();
const runs = join(folder, 'runs');
const encoded = join(runs, 'latents');
const installed = join(folder, 'node_modules', NAME);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
quietProgress();
afterAll(() => process.chdir(home));

async function runTrainer(argv: string[]): Promise<void> {
  const { code, text } = await trainer(argv);
  if (code !== 0) throw new Error(text);
}

beforeAll(async () => {
  for (const each of ['package.json', 'src']) cpSync(join(source, each), join(installed, each), { recursive: true });
  await runTrainer(tinyVae(runs, 'codec', { steps: 2 }, 1));
  const latents = { steps: 3, codec: join(runs, 'codec', 'model'), patchSize: 1, seed: 4 };
  const [, ...run] = tiny(runs, 'whole', latents, 1);
  await runTrainer(['encode', ...run, '--out', encoded]);
  await runTrainer(['train', ...run, '--set', `data.latents=${encoded}`]);
  process.chdir(folder);
  const results = [{ name: 'PSNR', dataset: 'emoji', value: 27.5, unit: 'dB', better: 'higher' }];
  writeFileSync('evaluation.json', JSON.stringify({ results, seed: 0 }));
  writeFileSync('drawn.png', 'a picture');
  const card = ['--evaluation', 'evaluation.json', '--note', 'one thread', '--limit', 'It is tiny.'];
  const given = { run: join(runs, 'whole'), name: NAME, picture: 'drawn.png' };
  await takeRun({ ...given, folder: installed, card, trainer: runTrainer });
});

test('what a fresh clone has is what the script writes', () => {
  const listed = existsSync(join(source, 'model/SHA256SUMS'))
    ? Object.fromEntries(
        readFileSync(join(source, 'model/SHA256SUMS'), 'utf8')
          .trimEnd()
          .split('\n')
          .map((line) => [line.slice(66), line.slice(0, 64)]),
      )
    : {};
  expect(readFileSync(join(source, 'src/files.ts'), 'utf8')).toBe(filesModule(listed));
  for (const [name, hash] of Object.entries(listed))
    expect(sha256(readFileSync(join(source, 'model', name)))).toBe(hash);
});

test('the model opens by its name, its files checked, and is that of the run in f16', async () => {
  const model = await readModelFolder(NAME, { verify: true });
  const trained = await readModelFolder(join(runs, 'whole', 'model'));
  expect(model.config).toEqual(trained.config);
  expect(model.vae?.config).toEqual(trained.vae?.config);
  for (const [name, { data }] of trained.tensors) {
    const half = model.tensors.get(name)!.data;
    const far = data.findIndex(
      (value, i) => Math.abs(half[i] - value) > Math.max(Math.abs(value) * 2 ** -11, 2 ** -25),
    );
    expect([name, far]).toEqual([name, -1]);
  }
  const places = (path: string) => {
    const { codec, data } = JSON.parse(readFileSync(path, 'utf8')).config;
    return { codec, latents: data.latents };
  };
  expect(places(join(runs, 'whole/model/trainer_state.json'))).toEqual({
    codec: join(runs, 'codec/model'),
    latents: encoded,
  });
  // A path of the machine that trained is nobody else's.
  expect(places(join(installed, 'model/training.json'))).toEqual({ codec: 'runs/codec/model', latents: null });
  expect(readdirSync(join(installed, 'model')).sort()).toEqual([
    ...['SHA256SUMS', 'config.json', 'model.safetensors', 'tokenizer.json', 'training.json', 'vae'],
  ]);
});

test('its module has the address and the hash of every file', () => {
  mkdirSync(join(installed, 'dist'));
  for (const name of ['index', 'files']) {
    const typescript = readFileSync(join(installed, `src/${name}.ts`), 'utf8');
    const { code } = transformSync(typescript, { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } });
    writeFileSync(join(installed, `dist/${name}.js`), code);
  }
  const print = `import * as all from '${NAME}'; console.log(JSON.stringify(all))`;
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', print], { cwd: folder, encoding: 'utf8' });
  const { files, sha256: hashes, name } = JSON.parse(told);
  expect(name).toBe(NAME);
  expect(Object.keys(hashes).sort()).toEqual([
    ...['config.json', 'model.safetensors', 'tokenizer.json', 'training.json'],
    ...['vae/config.json', 'vae/diffusion_pytorch_model.safetensors'],
  ]);
  expect(Object.keys(files)).toEqual(Object.keys(hashes));
  for (const [name, address] of Object.entries(files))
    expect(sha256(readFileSync(new URL(String(address))))).toBe(hashes[name]);
});

test('its README is the card', () => {
  const card = readFileSync(join(installed, 'README.md'), 'utf8');
  expect(load(card.split('---\n')[1])).toMatchObject({
    ...{ license: 'mit', pipeline_tag: 'any-to-any', datasets: ['twemoji', 'emojibase'] },
    'model-index': [{ name: NAME, results: [{ metrics: [{ type: 'psnr', name: 'PSNR, dB', value: 27.5 }] }] }],
  });
  expect(card).toContain(`![drawings of ${NAME}](picture.png)`);
  expect(card).toMatch(/3 steps of \d+ rows; seed 4;/);
  expect(card).toMatch(/trainer train --preset tiny --set name=whole .*--set codec=\S+codec\/model/);
  for (const said of ['- one thread', '- It is tiny.', 'of an autoencoder with']) expect(card).toContain(said);
  expect(readFileSync(join(installed, 'picture.png'), 'utf8')).toBe('a picture');
});

test('what cannot be taken leaves the package as it was', async () => {
  const before = readFileSync(join(installed, 'model/SHA256SUMS'), 'utf8');
  const given = { folder: installed, name: NAME, trainer: runTrainer };
  await expect(takeRun({ ...given, run: join(runs, 'none') })).rejects.toThrow(/CHECKPOINT_MISSING/);
  await expect(takeRun({ ...given, run: join(runs, 'codec') })).rejects.toThrow(/CONFIG_INVALID: .*autoencoder/);
  const missing = takeRun({ ...given, run: join(runs, 'whole'), card: ['--evaluation', 'none.json'] });
  await expect(missing).rejects.toThrow(/CARD_EVALUATION: cannot read the scores none\.json/);
  expect(readFileSync(join(installed, 'model/SHA256SUMS'), 'utf8')).toBe(before);
  expect(readdirSync(installed)).not.toContain('.model-new');
});

test('a run starts from it by its name, and its LoRA names it', async () => {
  const finetune = ['train', '--finetune', NAME, '--runs', runs, '--backend', 'wasm', '--threads', '1'];
  const set = { name: 'style', steps: 1, 'lora.rank': 2, 'data.demoSet': 4, 'batch.rows': 1, 'sample.every': 0 };
  await runTrainer([...finetune, ...Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`])]);
  const lora = join(runs, 'style', 'model');
  expect(JSON.parse(readFileSync(join(lora, 'adapter_config.json'), 'utf8')).base_model_name_or_path).toBe(NAME);
  const { tensors, adapters } = await readModelFolder(lora);
  expect(tensors).toEqual((await readModelFolder(NAME)).tensors);
  expect(adapters).toHaveLength(1);
});

test('a card of the model that is installed, as it is', async () => {
  await runTrainer(['card', '--model', NAME, '--out', 'card.md']);
  expect(readFileSync('card.md', 'utf8')).toContain('# whole\n');
  await expect(runTrainer(['card', '--model', '@transfusion/none', '--out', 'x.md'])).rejects.toThrow(/MODEL_NAME/);
});
