/** @file `--lora`: LoRAs on the command line, drawn with as the library does. */

import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveAdapterFolder } from '@transfusion/checkpoint/node';
import { decodePng } from '@transfusion/data';
import { createSampler } from '@transfusion/sampler';
import { openModelFolder } from '@transfusion/sampler/node';
import { PhiloxStream } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { CPU as cpu, runSampler, toldCommand } from './testing/run-sampler.js';
import { writeTinyModelFolder } from './testing/tiny-model-folder.js';

let folder: string;
let model: string;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  folder = await mkdtemp(join(tmpdir(), 'transfusion-sampler-lora-'));
  model = at('model');
  await writeTinyModelFolder(model);
  for (const [i, name] of ['one', 'two'].entries()) await writeLora(at(name), i);
});
afterAll(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

/** Of the way of patches out, which every picture goes through. */
function writeLora(path: string, seed: number): Promise<void> {
  const random = new PhiloxStream(seed);
  const tensor = (...shape: number[]) => ({
    shape,
    data: Float32Array.from({ length: shape[0] * shape[1] }, () => 0.4 * random.normal()),
  });
  const tensors = new Map([
    ['base_model.model.patchOut.lora_A.weight', tensor(2, 8)],
    ['base_model.model.patchOut.lora_B.weight', tensor(48, 2)],
  ]);
  const config = {
    peft_type: 'LORA',
    r: 2,
    lora_alpha: 2,
    target_modules: ['patchOut'],
    base_model_name_or_path: model,
  };
  return saveAdapterFolder({ path, config, tensors });
}

const sampler = (...argv: string[]) => runSampler(argv);

async function draw(name: string, ...more: string[]): Promise<Uint8Array> {
  const out = at(`${name}.png`);
  const outcome = await sampler('generate', '--prompt', 'red', '--out', out, ...cpu, ...more);
  expect(outcome).toMatchObject({ code: 0 });
  return Uint8Array.from(decodePng(readFileSync(out)).data, (value) => Math.round(127.5 * (value + 1)));
}

test('repeated, LoRAs add up, each with its scale, as in the library', async () => {
  const lora = ['--lora', `${at('one')}:0.5`, '--lora', at('two')];
  const drawn = await draw('both', '--model', model, ...lora);
  const backend = await openWasm({ threads: 1 });
  const adapters = [{ path: at('one'), strength: 0.5 }, { path: at('two') }];
  const library = createSampler({ backend, ...(await openModelFolder(model, backend, { adapters })) });
  const [expected] = await library.drawImages({ prompts: ['red'], seed: 0 });
  await backend.dispose();
  expect([...drawn]).toEqual([...expected.data].map((value) => Math.round(127.5 * (Math.fround(value) + 1))));
  const plain = await draw('plain', '--model', model);
  expect(drawn).not.toEqual(plain);
  expect(drawn).not.toEqual(await draw('one', '--model', model, ...lora.slice(0, 2)));
  expect(await draw('none', '--model', model, '--lora', `${at('one')}:0`)).toEqual(plain);
});

test('--like of an edited picture says where its LoRAs are needed', async () => {
  await draw('edited', '--model', model);
  const given = ['--model', model, '--lora', `${at('one')}:0.5`, '--lora', at('two'), '--image', at('edited.png')];
  const made = await sampler('edit', ...given, '--prompt', 'red', '--out', at('made.png'), ...cpu);
  expect(made).toMatchObject({ code: 0 });
  const { log } = await sampler('generate', '--like', at('made.png'));
  expect(toldCommand(log).slice(1, 7)).toEqual(['--model', 'MODEL', '--lora', 'LORA:0.5', '--lora', 'LORA']);
  expect(log).toMatch(/LORA each of its LoRAs, in this order \(\w{12}\.\.\., \w{12}\.\.\.\)/);
});

test("a LoRA's folder as the model is its model with it", async () => {
  expect(await draw('alone', '--model', at('one'))).toEqual(await draw('with', '--model', model, '--lora', at('one')));
  const { out } = await sampler('info', '--model', at('one'), '--lora', `${at('two')}:0.5`, ...cpu);
  expect(out).toMatch(/lora +\S+one: rank 2, alpha 2, 1 layers; \S+two times 0\.5: rank 2/);
});

test.each<[string, string, RegExp]>([
  ['nowhere', 'no/such', /no.such.* does not exist/],
  ['without a scale', 'one:', /give FOLDER or FOLDER:SCALE/],
  ['that is a model', '', /adapter_config\.json/],
])('a LoRA %s: exit 2', async (_, lora, message) => {
  const given = lora === '' ? model : lora;
  const argv = ['generate', '--prompt', 'a', '--out', at('never.png'), '--model', model, '--lora', given];
  const { code, log } = await sampler(...argv, ...cpu);
  expect([code, log]).toEqual([2, expect.stringMatching(message)]);
});
