/** @file Models of a hub: drawn with as from a folder, fetched once, offline too, refused in words. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { saveAdapterFolder } from '@transfusion/checkpoint/node';
import { HubServer, refuse } from '../../../packages/hub/src/testing/hub-server.js';
import { CPU, inFolderWithModel, runSampler } from './testing/run-sampler.js';
import { tinyKl, writeTinyModelFolder } from './testing/tiny-model-folder.js';

const place = inFolderWithModel();
const sampler = (...argv: string[]) => runSampler([...argv, ...CPU]);
const draw = (model: string, out: string) =>
  sampler('generate', '--model', model, '--prompt', 'red', '--out', out, '--steps', '2');
const kept = { ...process.env };
let server: HubServer;
let commit: string;

beforeAll(async () => {
  server = await HubServer.start();
  await writeTinyModelFolder('latent', tinyKl);
  const names = (await readdir('latent', { recursive: true })).filter((name) => name.includes('.'));
  const files = await Promise.all(names.map(async (name) => [name, await readFile(join('latent', name))] as const));
  commit = server.commit('owner/tiny', Object.fromEntries(files));
  process.env = { ...kept, HF_ENDPOINT: server.url, HF_HUB_CACHE: join(place.folder, 'hub'), HF_HOME: place.folder };
});
afterEach(() => server.forget());
afterAll(async () => {
  process.env = kept;
  await server.close();
});

test('the same picture as from the folder, with the same hashes in it; fetched once, without what only training needs', async () => {
  expect((await draw('latent', 'a.png')).code).toBe(0);
  expect(await draw('hf://owner/tiny', 'b.png')).toMatchObject({ code: 0 });
  expect(await readFile('b.png')).toEqual(await readFile('a.png'));
  expect(server.log.filter((line) => line.includes('optimizer'))).toEqual([]);
  server.forget();
  expect((await draw(`hf://owner/tiny@${commit}`, 'c.png')).code).toBe(0);
  expect((await sampler('generate', '--model', 'hf://owner/tiny', '--like', 'a.png', '--out', 'd.png')).code).toBe(0);
  expect(server.bodies).toEqual([]);
  process.env.HF_HUB_OFFLINE = '1';
  const { out, code } = await sampler('info', '--model', 'hf://owner/tiny');
  delete process.env.HF_HUB_OFFLINE;
  expect(code).toBe(0);
  expect(out).toMatch(new RegExp(`^model .*/hub/models--owner--tiny/snapshots/${commit}$`, 'm'));
});

test('what is not there is told in one sentence; what the network does is no fault of the command', async () => {
  const none = await draw('hf://owner/none', 'x.png');
  expect(none).toMatchObject({
    code: 2,
    log: expect.stringMatching(/^\S*HUB_NOT_FOUND: there is no model owner\/none/),
  });
  expect((await draw('hf://owner/tiny@none', 'x.png')).log).toMatch(/HUB_REVISION: owner\/tiny has no revision none/);
  server.fault = (_, response) => {
    refuse(response, 403, 'GatedRepo');
    return true;
  };
  expect((await draw('hf://owner/tiny', 'x.png')).log).toMatch(/HUB_ACCESS/);
  const endpoint = process.env.HF_ENDPOINT;
  process.env.HF_ENDPOINT = 'http://127.0.0.1:9';
  expect(await draw('hf://owner/other', 'x.png')).toMatchObject({
    code: 1,
    log: expect.stringContaining('HUB_NETWORK'),
  });
  process.env.HF_ENDPOINT = endpoint;
});

test('--help says so', async () => {
  expect((await sampler('info', '--help')).out).toMatch(/hf:\/\/owner\/name\[@revision\]/);
});

test('a LoRA of the hub, with its scale, as from its folder', async () => {
  const tensor = (outputs: number, inputs: number) => ({
    shape: [outputs, inputs],
    data: Float32Array.from({ length: outputs * inputs }, (_, i) => Math.sin(i)),
  });
  await saveAdapterFolder({
    path: 'lora',
    config: { peft_type: 'LORA', r: 2, lora_alpha: 2, target_modules: ['patchOut'] },
    tensors: new Map([
      ['base_model.model.patchOut.lora_A.weight', tensor(2, 8)],
      ['base_model.model.patchOut.lora_B.weight', tensor(16, 2)],
    ]),
  });
  const names = ['adapter_config.json', 'adapter_model.safetensors'];
  const files = await Promise.all(names.map(async (name) => [name, await readFile(join('lora', name))] as const));
  server.commit('owner/lora', Object.fromEntries(files));
  const drawn = async (lora: string, out: string) => {
    const command = ['generate', '--model', 'latent', '--lora', lora, '--prompt', 'red', '--out', out, '--steps', '2'];
    expect((await sampler(...command)).code).toBe(0);
    return readFile(out);
  };
  const fromHub = await drawn('hf://owner/lora:0.5', 'e.png');
  expect(fromHub).toEqual(await drawn('lora:0.5', 'f.png'));
  expect(fromHub).not.toEqual(await drawn('hf://owner/lora', 'g.png'));
});
