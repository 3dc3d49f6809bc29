/** @file A model exported for the hub: what others look for is there, our reader draws the same from it, and back from a hub. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSums, readSafetensors, readSafetensorsHeader } from '@transfusion/checkpoint';
import { fromHub } from '@transfusion/hub/node';
import { createSampler } from '@transfusion/sampler';
import { openModel, readHashedModelFolder, readModelFolder } from '@transfusion/sampler/node';
import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { HubServer, sha256 } from '../../../../packages/hub/src/testing/hub-server.js';
import { tinyKl, writeTinyModelFolder } from '../../../sampler/src/testing/tiny-model-folder.js';
import { runConfigSchema } from '../config/run-config.js';
import { run } from '../main.js';
import { hubExportCommand } from './hub-export-command.js';

// It has no types of its own.
const { load } = createRequire(import.meta.url)('js-yaml') as { load(text: string): unknown };

let folder: string;
let model: string;
let backend: Backend;
const out = () => join(folder, 'out');
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
  folder = await mkdtemp(join(tmpdir(), 'transfusion-hub-export-'));
  model = join(folder, 'run/model');
  await writeTinyModelFolder(model, tinyKl);
  const config = runConfigSchema.parse({ name: 'tiny', data: { dataset: 'emoji' }, codec: 'x' });
  await writeFile(join(model, 'trainer_state.json'), JSON.stringify({ step: 123, trainSeconds: 60, config }));
});
afterEach(() => rm(out(), { recursive: true, force: true }));
afterAll(async () => {
  await backend.dispose();
  await rm(folder, { recursive: true, force: true });
});

async function trainer(...argv: string[]) {
  const [told, log]: string[][] = [[], []];
  const terminal = { out: (text: string) => void told.push(text), log: (text: string) => void log.push(text) };
  const code = await run(argv, { ...terminal, signal: new AbortController().signal });
  return { code, out: told.join('\n'), log: log.join('\n') };
}
const exported = (...more: string[]) =>
  trainer('export', '--hub', out(), '--run', join(folder, 'run'), '--license', 'Apache-2.0', ...more);
const jsonOf = async (name: string) => JSON.parse(await readFile(join(out(), name), 'utf8'));

async function draw(source: Parameters<typeof openModel>[0], verify?: boolean) {
  const opened = await openModel(source, backend, { verify });
  const sampler = createSampler({ backend, ...opened });
  const [image] = await sampler.drawImages({ prompts: ['red'], steps: 2, seed: 3 });
  sampler.dispose();
  opened.dispose();
  return [...image.data];
}

test('f32: the picture of the run in every bit, read from the folder, checked, and from a hub', async () => {
  const { code, out: told } = await exported('--dtype', 'f32');
  expect(code).toBe(0);
  expect(told).toMatch(/MB of weights in f32; to upload it:\nhf upload OWNER\/out .*out \.$/);
  const expected = await draw(model);
  expect(new Set(expected).size).toBeGreaterThan(10);
  expect(await draw(out())).toEqual(expected);
  expect(await draw(out(), true)).toEqual(expected);
  const server = await HubServer.start();
  const names = (await readdir(out(), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const files = await Promise.all(
    names.map(async ({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(out().length + 1), await readFile(path)] as const;
    }),
  );
  server.commit('owner/tiny', Object.fromEntries(files));
  const fetched = await fromHub('hf://owner/tiny', { endpoint: server.url, cacheDir: join(folder, 'cache') });
  expect(await draw(fetched, true)).toEqual(expected);
  await server.close();
});

test('the files, and what others read in them', async () => {
  await writeFile(join(folder, 'drawn.png'), 'not looked at');
  await exported('--picture', join(folder, 'drawn.png'), '--name', 'me/tiny');
  const names = (await readdir(out(), { recursive: true })).sort();
  expect(names).toEqual([
    ...['.gitattributes', 'README.md', 'SHA256SUMS', 'config.json', 'drawn.png', 'generation_config.json'],
    ...['model.safetensors', 'special_tokens_map.json', 'tokenizer.json', 'tokenizer_config.json', 'training.json'],
    ...['vae', 'vae/config.json', 'vae/diffusion_pytorch_model.safetensors'],
  ]);
  expect(await jsonOf('config.json')).toMatchObject({
    ...{ model_type: 'transfusion', architectures: ['TransfusionModel'], dtype: 'float16', format: 'transfusion' },
  });
  expect(await jsonOf('vae/config.json')).toMatchObject({ _class_name: 'AutoencoderKL' });
  for (const name of ['model.safetensors', 'vae/diffusion_pytorch_model.safetensors']) {
    const { metadata, tensors } = readSafetensorsHeader(await readFile(join(out(), name)), name);
    expect(metadata).toEqual({ format: 'pt' });
    expect(new Set([...tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(['F16']));
  }
  const card = await readFile(join(out(), 'README.md'), 'utf8');
  const [, yaml] = /^---\n([\s\S]*?)\n---\n/.exec(card)!;
  expect(load(yaml)).toMatchObject({ library_name: 'transfusion', pipeline_tag: 'any-to-any', license: 'apache-2.0' });
  expect(card).toMatch(/^# me\/tiny$/m);
  expect(card).toMatch(/fromHub\('me\/tiny'\)[\s\S]*--model hf:\/\/me\/tiny/);
  expect(card).toMatch('](drawn.png)');
  expect(await readFile(join(out(), '.gitattributes'), 'utf8')).toMatch(
    /^\*\.safetensors filter=lfs diff=lfs merge=lfs -text$/m,
  );
  const sums = parseSums(await readFile(join(out(), 'SHA256SUMS'), 'utf8'), 'sums');
  expect(Object.keys(sums)).toContain('vae/diffusion_pytorch_model.safetensors');
  expect(Object.keys(sums)).not.toContain('README.md');
  for (const [name, sum] of Object.entries(sums)) expect(sha256(await readFile(join(out(), name)))).toBe(sum);
});

test('special tokens by the names of transformers, with the ids of the tokenizer', async () => {
  await exported();
  const { tokenizer } = await readModelFolder(out());
  const map = await jsonOf('special_tokens_map.json');
  const config = await jsonOf('tokenizer_config.json');
  const generation = await jsonOf('generation_config.json');
  for (const name of ['bos', 'eos', 'pad'] as const) {
    expect(tokenizer.specialTokens.get(map[`${name}_token`])).toBe(tokenizer.special[name]);
    expect(config[`${name}_token`]).toBe(map[`${name}_token`]);
    expect(generation[`${name}_token_id`]).toBe(tokenizer.special[name]);
  }
  expect(map.additional_special_tokens).toEqual(['<|boi|>', '<|eoi|>']);
  const added = Object.entries<{ content: string }>(config.added_tokens_decoder);
  expect(new Map(added.map(([id, { content }]) => [content, Number(id)]))).toEqual(tokenizer.specialTokens);
  expect(config).toMatchObject({ tokenizer_class: 'PreTrainedTokenizerFast', model_max_length: 48 });
  expect(generation).toMatchObject({ num_inference_steps: 3, do_sample: false });
});

test.each([
  ['f16', 2 ** -11, 2 ** -25, 'float16'],
  ['bf16', 2 ** -8, 2 ** -134, 'bfloat16'],
] as const)('%s: weights rounded once', async (dtype, relative, absolute, name) => {
  await exported('--dtype', dtype);
  expect((await jsonOf('config.json')).dtype).toBe(name);
  const [whole, short] = [await readModelFolder(model), await readModelFolder(out())];
  expect(short.config).toEqual(whole.config);
  for (const [path, { data }] of whole.tensors) {
    const rounded = short.tensors.get(path)!.data;
    const worst = data.reduce(
      (most, value, i) => Math.max(most, Math.abs(rounded[i] - value) - Math.abs(value) * relative),
      Number.NEGATIVE_INFINITY,
    );
    expect(worst).toBeLessThanOrEqual(absolute);
  }
});

test('weights of more than a shard: several files with an index, the same model', async () => {
  const card = { license: 'MIT', note: [], source: [], limit: [] };
  const terminal = { out() {}, log() {}, signal: new AbortController().signal };
  await hubExportCommand({ ...card, hub: out(), model, dtype: 'f32', maxShardBytes: 4000 }, terminal);
  const { weight_map } = await jsonOf('model.safetensors.index.json');
  const shards = new Set(Object.values<string>(weight_map));
  expect(shards.size).toBeGreaterThan(1);
  const tensors = [...(await readModelFolder(model)).tensors.keys()];
  expect(Object.keys(weight_map).sort()).toEqual(tensors.sort());
  for (const shard of shards) expect(readSafetensors(await readFile(join(out(), shard))).size).toBeGreaterThan(0);
  expect(await draw(out())).toEqual(await draw(model));
});

test('nothing is replaced unless asked, and then all of it; what is no model never', async () => {
  await exported('--picture', __filename);
  const before = await readFile(join(out(), 'config.json'), 'utf8');
  expect(await exported('--dtype', 'f32')).toMatchObject({ code: 2, log: expect.stringContaining('OUTPUT_EXISTS') });
  expect(await readFile(join(out(), 'config.json'), 'utf8')).toBe(before);
  expect((await exported('--dtype', 'f32', '--overwrite')).code).toBe(0);
  expect((await jsonOf('config.json')).dtype).toBe('float32');
  await rm(out(), { recursive: true });
  await mkdir(out());
  await writeFile(join(out(), 'thesis.txt'), 'mine');
  expect((await exported('--overwrite')).log).toMatch(/CHECKPOINT_WRITE_FAILED: .*holds something else/);
  expect(await readdir(out())).toEqual(['thesis.txt']);
});

test('what was exported can be exported again, and its hashes tell the same model', async () => {
  await exported('--dtype', 'f32');
  const again = join(folder, 'again');
  const { code } = await trainer('export', '--hub', again, '--model', out(), '--license', 'MIT', '--dtype', 'f32');
  expect(code).toBe(0);
  expect((await readHashedModelFolder(again)).hashes).toEqual((await readHashedModelFolder(out())).hashes);
  await rm(again, { recursive: true });
});

test.each([
  [['--hub', 'x', '--run', 'y'], /a model of the hub has a licence, and none is given\n.*--license/],
  [['--hub', 'x', '--license', 'MIT'], /HUB_EXPORT: --hub needs one model, and neither --run nor --model is given/],
  [['--hub', 'x', '--license', 'MIT', '--run', 'a', '--model', 'b'], /HUB_EXPORT: .*--run and --model are two/],
  [['--hub', 'x', '--out', 'y', '--run', 'z'], /EXPORT_OPTIONS: export: --out and --hub are two folders/],
  [['--run', 'z'], /EXPORT_OPTIONS: export: where to is not said/],
  [['--out', 'z'], /EXPORT_OPTIONS: export: which run is not said/],
  [['--hub', 'x', '--license', 'MIT', '--run', 'z', '--dtype', 'f8'], /f16, bf16, f32/],
  [['--hub', 'x', '--license', 'MIT', '--model', '@none/none'], /MODEL_NAME/],
])('%j', async (argv, message) => {
  const { code, log } = await trainer('export', ...argv);
  expect(code).toBe(2);
  expect(log).toMatch(message);
});
