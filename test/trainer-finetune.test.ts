/** @file Runs that start from a model: all of its weights, or LoRAs beside them. */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensorsFile } from '@transfusion/checkpoint/node';
import { mergeAdapters } from '@transfusion/sampler';
import { readModelFolder } from '@transfusion/sampler/node';
import { openWasm } from '@transfusion/wasm';
import { resolveConfig } from '../apps/trainer/src/config/resolve-config';
import { transfusionKind } from '../apps/trainer/src/kinds/transfusion';
import { readState } from '../packages/training/src/testing/state';
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
const base = join(runs, 'base', 'model');
const steps = { steps: 4, logEvery: 1 };

beforeAll(async () => {
  // A model that differs from the tiny preset in all that a model decides.
  const own = {
    'model.layers': 1,
    'model.heads': 4,
    'tokenizer.vocabularySize': 290,
    'diffusion.parameterisation': 'v',
  };
  const { code } = await trainer(tiny(runs, 'base', { ...own, steps: 6, 'sampling.steps': 7, patchSize: 2 }));
  expect(code).toBe(0);
});

const finetune = (name: string, set: Record<string, unknown> = {}, from = base) => [
  ...tiny(runs, name, { ...steps, ...set }),
  ...['--finetune', from],
];
const resume = (name: string, ...more: string[]) => [
  ...['train', '--resume', join(runs, name), '--runs', runs, '--backend', 'wasm'],
  ...more,
];
const modelConfig = (path: string) => JSON.parse(readFileSync(join(path, 'config.json'), 'utf8'));
const adapterHash = (name: string) =>
  ['adapter_model', 'optimizer'].map((file) =>
    createHash('sha256')
      .update(readFileSync(join(runs, name, 'model', `${file}.safetensors`)))
      .digest('hex'),
  );

describe('all weights', () => {
  test('a run starts from every bit of the model, with fresh moments, and its sizes', async () => {
    const set = ['name=start', `finetune=${base}`];
    const sources = { preset: 'tiny', set };
    const config = await transfusionKind.complete!(await resolveConfig(transfusionKind, sources), sources);
    const backend = await openWasm({ threads: 1 });
    const { session } = await transfusionKind.open(config, { backend, cacheFolder: join(folder, '.cache', 'data') });
    const { parameters, ema, m } = await readState(session.state);
    const weights = await readSafetensorsFile(join(base, 'model.safetensors'));
    expect(weights.size).toBe(parameters.size);
    for (const [path, { data }] of weights) {
      expect(parameters.get(path)).toEqual(data);
      expect(ema.get(path)).toEqual(data);
      expect(m.get(path)!.every((value) => value === 0)).toBe(true);
    }
    const { model, diffusion, image, sampling } = modelConfig(base);
    expect(session.pipeline).toMatchObject({ model, diffusion, image, sampling });
    session.dispose();
    await backend.dispose();
  });

  test('stopped, it resumes to the same bits where the model is gone', async () => {
    expect((await trainer(finetune('whole'))).code).toBe(0);
    const away = join(folder, 'gone');
    cpSync(base, away, { recursive: true });
    expect((await trainer(finetune('stopped', {}, away), abortedAtLook(3))).code).toBe(0);
    rmSync(away, { recursive: true });
    expect((await trainer(resume('stopped'))).code).toBe(0);
    expect(trainerState(join(runs, 'stopped')).step).toBe(4);
    expect(checkpointHash(join(runs, 'stopped'))).toEqual(checkpointHash(join(runs, 'whole')));
    expect(trainerState(join(runs, 'stopped'))).toMatchObject({
      base: { path: away, fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
  });

  test('from an export in f16, with another objective, image size and data', async () => {
    const out = join(folder, 'half');
    expect((await trainer(['export', '--run', join(runs, 'base'), '--out', out])).code).toBe(0);
    const set = { lambda: 1, 'data.imageSize': 24, 'data.demoSet': 3, 'sampling.steps': 5 };
    expect((await trainer(finetune('other', set, out))).code).toBe(0);
    const { model, image, sampling } = modelConfig(join(runs, 'other', 'model'));
    expect(model).toEqual(modelConfig(base).model);
    expect([image.size, sampling.steps]).toEqual([24, 5]);
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['sizes', { 'model.channels': 128 }, /CONFIG_FINETUNE: .*model\.channels is set to 128, the model has 64/],
    ['a preset of sizes', { 'model.preset': 'micro' }, /model\.preset=micro \(layers 6\), the model has 1/],
    ['patches', { patchSize: 4 }, /patchSize is set to 4, the model has 2/],
    [
      'what is predicted',
      { 'diffusion.parameterisation': 'epsilon' },
      /parameterisation is set to "epsilon", the model has "v"/,
    ],
    ['a vocabulary', { 'tokenizer.vocabularySize': 300 }, /vocabularySize is set to 300, the model has 2\d\d/],
    ['a codec', { codec: 'emoji-64-kl' }, /codec is set to "emoji-64-kl", the model has pixels/],
  ])("%s that are not the model's are refused by name", async (_, set, message) => {
    const { code, text } = await trainer(finetune('refused', set));
    expect([code, text]).toEqual([2, expect.stringMatching(message)]);
    expect(existsSync(join(runs, 'refused'))).toBe(false);
  });

  test("the model's own sizes may be said again", async () => {
    const { vocabularySize } = modelConfig(base).model;
    const own = { 'model.layers': 1, patchSize: 2, 'tokenizer.vocabularySize': vocabularySize, codec: null };
    expect((await trainer([...finetune('again', own), '--dry-run'])).code).toBe(0);
  });

  test.each<[string, () => string[], RegExp]>([
    [
      'with --resume',
      () => [...resume('base'), '--finetune', base],
      /CONFIG_RESUME: --resume .* --finetune .*\n.*one of them/,
    ],
    ['of nothing', () => finetune('x', {}, join(folder, 'nobody')), /nobody.* does not exist/],
    ['of a run', () => finetune('x', {}, join(runs, 'base')), /has no config\.json\n.*give .*base.model/],
  ])('%s: exit 2', async (_, argv, message) => {
    const { code, text } = await trainer(argv());
    expect([code, text]).toEqual([2, expect.stringMatching(message)]);
  });
});

describe('LoRA', () => {
  const lora = { lora: { rank: 2, alpha: 4, targets: ['query', 'patchIn', 'patchOut'] } };
  beforeAll(async () => {
    expect((await trainer(finetune('lora', { ...lora, sample: { every: 4, images: 2 } }))).code).toBe(0);
  });

  test("the run's model is a LoRA in PEFT's form, which opens with its model and merges into it", async () => {
    const path = join(runs, 'lora', 'model');
    const config = JSON.parse(readFileSync(join(path, 'adapter_config.json'), 'utf8'));
    expect(config).toMatchObject({
      ...{ peft_type: 'LORA', r: 2, lora_alpha: 4, base_model_name_or_path: base },
      target_modules: ['patchIn', 'blocks.0.attention.query', 'patchOut'],
    });
    const tensors = await readSafetensorsFile(join(path, 'adapter_model.safetensors'));
    expect(tensors.get('base_model.model.blocks.0.attention.query.lora_A.weight')?.shape).toEqual([2, 64]);
    expect(tensors.get('base_model.model.patchOut.lora_B.weight')?.shape).toEqual([12, 2]);
    expect(tensors.size).toBe(6);
    expect(existsSync(join(runs, 'lora', 'samples', 'step-4.png'))).toBe(true);

    const stored = await readModelFolder(path);
    const out = join(folder, 'merged');
    const { code, text } = await trainer([
      'merge',
      '--model',
      base,
      '--lora',
      `${path}:0.5`,
      '--lora',
      `${path}:0.5`,
      '--out',
      out,
    ]);
    expect([code, text]).toEqual([0, expect.stringContaining('2 LoRAs merged into 3 layers')]);
    const merged = await readModelFolder(out);
    expect(merged.adapters).toBeUndefined();
    for (const [name, { data }] of mergeAdapters(stored.tensors, stored.adapters!)) {
      const found = merged.tensors.get(name)!.data;
      // Twice a half is rounded once more than the whole.
      expect(Math.max(...data.map((value, i) => Math.abs(found[i] - value)))).toBeLessThan(1e-7);
    }
    const never = join(folder, 'never');
    const without = await trainer(['merge', '--model', base, '--out', never]);
    expect([without.code, without.text]).toEqual([2, expect.stringMatching(/MERGE_NOTHING: .*\n +fix: give --lora/)]);
    expect(existsSync(never)).toBe(false);
    const changed = [...merged.tensors].filter(([name, { data }]) =>
      data.some((value, i) => value !== stored.tensors.get(name)!.data[i]),
    );
    expect(changed.map(([name]) => name).sort()).toEqual([
      'blocks.0.attention.query',
      'patchIn.weight',
      'patchOut.weight',
    ]);
  });

  test('stopped, it resumes to the same bits; its model may have moved, but not changed', async () => {
    const away = join(folder, 'moved');
    cpSync(base, away, { recursive: true });
    expect((await trainer(finetune('lora-stopped', lora, away), abortedAtLook(3))).code).toBe(0);
    expect(trainerState(join(runs, 'lora-stopped')).step).toBe(2);
    renameSync(away, `${away}-on`);
    const lost = await trainer(resume('lora-stopped'));
    expect([lost.code, lost.text]).toEqual([
      2,
      expect.stringMatching(/LORA_BASE: .*there is no model in \S*moved now\n.*--set finetune=/),
    ]);
    const other = await trainer(resume('lora-stopped', '--set', `finetune=${join(runs, 'whole', 'model')}`));
    expect([other.code, other.text]).toEqual([2, expect.stringMatching(/LORA_BASE: .*moved, whose weights/)]);
    expect((await trainer(resume('lora-stopped', '--set', `finetune=${away}-on`))).code).toBe(0);
    expect(adapterHash('lora-stopped')).toEqual(adapterHash('lora'));
  });

  test('it takes the place of a run of all weights, and the reverse', async () => {
    const run = join(runs, 'swapped', 'model');
    expect((await trainer(finetune('swapped', { steps: 1 }))).code).toBe(0);
    expect((await trainer([...finetune('swapped', { ...lora, steps: 1 }), '--overwrite'])).code).toBe(0);
    expect([existsSync(join(run, 'config.json')), existsSync(join(run, 'adapter_config.json'))]).toEqual([false, true]);
    expect((await trainer([...finetune('swapped', { steps: 1 }), '--overwrite'])).code).toBe(0);
    expect([existsSync(join(run, 'config.json')), existsSync(join(run, 'adapter_config.json'))]).toEqual([true, false]);
  });

  test('--dry-run tells what is trained, and memory by the formula', async () => {
    const { code, text } = await trainer([...finetune('dry', { lora: { rank: 4 } }), '--dry-run']);
    // Four square layers of 64: 4 * 2 * 4 * 64 numbers; weights, two moments and the average of each.
    expect([code, text]).toEqual([0, expect.stringMatching(/trained +2,048 parameters: LoRAs of rank 4 on 4 layers/)]);
    expect(text).toMatch(/memory: constant +0\.\d MiB \(weights that stay\)/);
    expect(text).toMatch(/memory: state +0\.0 MiB/);
  });

  test('an export is in half the bytes, and goes with an export of its model', async () => {
    const out = join(folder, 'lora-half');
    expect((await trainer(['export', '--run', join(runs, 'lora'), '--out', out])).code).toBe(0);
    const stored = await readModelFolder(join(folder, 'half'), { adapters: [{ path: out, strength: 2 }] });
    expect(stored.adapters?.[0].layers.size).toBe(3);
  });

  test.each<[string, () => string[], RegExp]>([
    [
      'without a model',
      () => tiny(runs, 'x', lora),
      /lora: a LoRA is trained beside the weights of a model: .*--finetune/,
    ],
    [
      'a rank above a layer',
      () => finetune('x', { lora: { rank: 13, targets: ['patchIn'] } }),
      /LORA_RANK: patchIn is \[64, 12\], a rank of 13/,
    ],
    [
      'an unknown target',
      () => finetune('x', { lora: { targets: ['qurey'] } }),
      /LORA_TARGETS: .*"qurey"\n.*nearest: query/,
    ],
    [
      'a LoRA of a LoRA',
      () => finetune('x', lora, join(runs, 'lora', 'model')),
      /LORA_NO_MODEL: .*is a LoRA.*\n.*trainer merge/,
    ],
    ['another LoRA on the way', () => resume('lora', '--set', 'lora.rank=3'), /CONFIG_RESUME: .*lora\.rank=3/],
    ['another start on the way', () => resume('whole', '--set', `finetune=${base}`), /CONFIG_RESUME: .*finetune=/],
    [
      'a LoRA of another model',
      () => [
        'merge',
        '--model',
        join(runs, 'whole', 'model'),
        '--lora',
        join(runs, 'lora', 'model'),
        '--out',
        join(folder, 'no'),
      ],
      /LORA_BASE: .*lora.model is a LoRA of another model/,
    ],
    [
      'a whole model as a LoRA',
      () => ['merge', '--model', base, '--lora', base, '--out', join(folder, 'no')],
      /LORA_WHOLE_MODEL: .*base.model is a whole model, not a LoRA/,
    ],
    [
      'the folder inside a run',
      () => ['export', '--run', base, '--out', join(folder, 'no')],
      /RUN_NOT_RESUMABLE: .*base.model is a checkpoint.*\n +fix: give .*base(?![/\w])/,
    ],
    [
      'a run to go on with, and to start over',
      () => ['train', '--resume', join(runs, 'base'), '--overwrite'],
      /CONFIG_RESUME: --resume .*base goes on with a run, --overwrite starts one over/,
    ],
    [
      'no scale',
      () => ['merge', '--model', base, '--lora', 'a:b', '--out', join(folder, 'no')],
      /give FOLDER or FOLDER:SCALE/,
    ],
  ])('%s: exit 2', async (_, argv, message) => {
    const { code, text } = await trainer(argv());
    expect([code, text]).toEqual([2, expect.stringMatching(message)]);
    expect(existsSync(join(runs, 'x'))).toBe(false);
    expect(existsSync(join(folder, 'no'))).toBe(false);
  });
});
