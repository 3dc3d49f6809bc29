/** @file Runs that start from a model of a hub: the same bits as from its folder, and they go on without the hub. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { HubServer } from '../packages/hub/src/testing/hub-server';
import { checkpointHash, quietProgress, temporaryFolder, tiny, trainer } from './support/trainer';

quietProgress();
const folder = temporaryFolder();
const runs = join(folder, 'runs');
const model = join(runs, 'base', 'model');
const kept = { ...process.env };
let server: HubServer;
let commit: string;

beforeAll(async () => {
  expect((await trainer(tiny(runs, 'base', { steps: 3 }))).code).toBe(0);
  server = await HubServer.start();
  const names = readdirSync(model).filter((name) => statSync(join(model, name)).isFile());
  commit = server.commit(
    'owner/base',
    Object.fromEntries(names.map((name) => [name, readFileSync(join(model, name))])),
  );
  process.env = { ...kept, HF_ENDPOINT: server.url, HF_HUB_CACHE: join(folder, 'hub'), HF_HOME: folder };
});
afterAll(async () => {
  process.env = kept;
  await server.close();
});

const lora = { steps: 4, logEvery: 1, 'lora.rank': 2 };

test('all weights, by --finetune or by the configuration', async () => {
  const steps = { steps: 2, logEvery: 1 };
  for (const [name, more] of [
    ['from-folder', ['--finetune', model]],
    ['from-hub', ['--finetune', 'hf://owner/base']],
    ['from-field', ['--set', `finetune=hf://owner/base@${commit}`]],
  ] as const) {
    const { code, text } = await trainer([...tiny(runs, name, steps), ...more]);
    expect([code, code === 0 ? '' : text]).toEqual([0, '']);
  }
  expect(checkpointHash(join(runs, 'from-hub'))).toEqual(checkpointHash(join(runs, 'from-folder')));
  expect(checkpointHash(join(runs, 'from-field'))).toEqual(checkpointHash(join(runs, 'from-folder')));
  expect(server.log.filter((line) => line.includes('optimizer'))).toEqual([]);
});

test('a LoRA is resumed with the commit that it began with, though the branch went on and the hub is away', async () => {
  expect((await trainer([...tiny(runs, 'lora', { ...lora, steps: 2 }), '--finetune', 'hf://owner/base'])).code).toBe(0);
  const state = JSON.parse(readFileSync(join(runs, 'lora/model/trainer_state.json'), 'utf8'));
  expect(state.config.finetune).toBe(join(folder, 'hub/models--owner--base/snapshots', commit));
  server.commit('owner/base', { 'config.json': Buffer.from('{}') });
  server.forget();
  const again = ['train', '--resume', join(runs, 'lora'), '--runs', runs, '--backend', 'wasm', '--set', 'steps=4'];
  expect((await trainer(again)).code).toBe(0);
  expect(server.log).toEqual([]);
});

test('what is not there is told', async () => {
  const { code, text } = await trainer([...tiny(runs, 'none'), '--finetune', 'hf://owner/none']);
  expect(code).toBe(2);
  expect(text).toMatch(/HUB_NOT_FOUND: there is no model owner\/none/);
});
