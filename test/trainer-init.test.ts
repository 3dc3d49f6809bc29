/** @file An untrained model as a folder: the weights that a run starts with, written tensor by tensor, and a run that starts from them. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readModelFolder } from '@transfusion/sampler/node';
import { initialValues } from '@transfusion/training';
import { resolveConfig } from '../apps/trainer/src/config/resolve-config';
import { prepareRun, transfusionKind } from '../apps/trainer/src/kinds/transfusion';
import { quietProgress, temporaryFolder, tiny, trainer } from './support/trainer';

quietProgress();
const folder = temporaryFolder();
const runs = join(folder, 'runs');
const tokenizerFile = join(folder, 'tokenizer.json');
const [out, half] = [join(folder, 'start'), join(folder, 'half')];
const set = ['seed=3', `tokenizer.file=${tokenizerFile}`];
const init = (to: string, ...options: string[]) =>
  trainer(['init', '--preset', 'tiny', ...set.flatMap((each) => ['--set', each]), '--out', to, ...options]);

async function startOf(changes: readonly string[]): Promise<Map<string, Float32Array>> {
  const config = await resolveConfig(transfusionKind, { preset: 'tiny', set: changes });
  const { task } = await prepareRun(config, { cacheFolder: '.cache/data' });
  writeFileSync(tokenizerFile, JSON.stringify(task.tokenizer.toJson()));
  return new Map(initialValues(task.phases, task.seed, task.given));
}

let own: Map<string, Float32Array>;
beforeAll(async () => {
  own = await startOf(['seed=3']);
  expect((await init(out, '--max-shard', '100kB')).code).toBe(0);
});

test('has the bits that a run of this configuration starts with, in files of the size asked for', async () => {
  const { tensors } = await readModelFolder(out);
  const parameters = [...own].filter(([path]) => path.startsWith('parameters.'));
  expect(tensors.size).toBe(parameters.length);
  for (const [path, values] of parameters) {
    expect(tensors.get(path.slice('parameters.'.length))?.data).toEqual(values);
  }
  const files = readdirSync(out).filter((name) => name.endsWith('.safetensors'));
  expect(files.length).toBeGreaterThan(4);
  expect(files).toContain(`model-00001-of-0000${files.length}.safetensors`);
});

test('a run starts from it, with the same bits', async () => {
  const started = await startOf(['seed=9', `finetune=${out}`]);
  expect(started).toEqual(own);
  const { code } = await trainer([...tiny(runs, 'started', { steps: 1 }), '--finetune', out]);
  expect(code).toBe(0);
});

test('in half the bytes, with more token ids than the tokenizer has', async () => {
  expect((await init(half, '--dtype', 'f16', '--vocabulary', '500')).code).toBe(0);
  const { tensors, config } = await readModelFolder(half);
  expect(config.model.vocabularySize).toBe(500);
  const [path, values] = [...own].find(([name]) => name.endsWith('attention.query'))!;
  const stored = tensors.get(path.slice('parameters.'.length))!.data;
  values.forEach((value, i) =>
    expect(Math.abs(stored[i] - value)).toBeLessThanOrEqual(Math.max(2 ** -11 * Math.abs(value), 2 ** -25)),
  );
});

test('what is missing is said before anything is written', async () => {
  const without = await trainer(['init', '--preset', 'tiny', '--out', join(folder, 'no')]);
  expect(without.text).toContain('INIT_TOKENIZER');
  expect((await init(out)).text).toContain('OUTPUT_EXISTS');
  expect((await init(join(folder, 'no'), '--vocabulary', '20')).text).toContain('INIT_VOCABULARY');
  expect(readdirSync(folder)).not.toContain('no');
});
