/** @file Networks that judge pictures, from the trainer: saving, resuming, held-out scores, export, and whose run is whose. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readMetrics } from '@transfusion/checkpoint/node';
import { openDualEncoder } from '@transfusion/evaluation';
import { readEncoderFolder } from '@transfusion/evaluation/node';
import { openWasm } from '@transfusion/wasm';
import {
  abortedAtLook,
  checkpointHash,
  quietProgress,
  temporaryFolder,
  tinyEvaluator,
  tinyVae,
  trainer,
  trainerState,
} from './support/trainer';

quietProgress();
const folder = temporaryFolder();
const runs = join(folder, 'runs');
const steps = { steps: 6, logEvery: 1 };
const resume = (name: string, ...more: string[]) =>
  trainer(['evaluator', '--resume', join(runs, name), '--runs', runs, '--backend', 'wasm', ...more]);

beforeAll(async () => {
  const outcome = await trainer(tinyEvaluator(runs, 'whole', { ...steps, 'sample.every': 4 }));
  expect(outcome).toMatchObject({
    code: 0,
    text: expect.stringMatching(/6 held-out pictures: caption of a picture [\d.]+ %.*chance 16\.7 %, 83\.3 %/),
  });
});

test('a run leaves metrics and held-out scores', async () => {
  const metrics = await readMetrics(join(runs, 'whole', 'metrics.jsonl'));
  const losses = metrics.filter((line) => 'contrastive' in line);
  expect(losses.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(metrics.find((line) => 'heldOut' in line)).toMatchObject({ step: 4, heldOut: { images: 6 } });
});

test('a run that was told to stop ends at the same bits, on another number of threads too', async () => {
  expect((await trainer(tinyEvaluator(runs, 'part', steps), abortedAtLook(4))).code).toBe(0);
  expect(trainerState(join(runs, 'part')).step).toBe(3);
  expect((await resume('part', '--threads', '1')).code).toBe(0);
  expect(checkpointHash(join(runs, 'part'))).toEqual(checkpointHash(join(runs, 'whole')));
  expect(await resume('part', '--set', 'batchSize=8')).toMatchObject({
    text: expect.stringContaining('CONFIG_RESUME'),
  });
});

test('export leaves half the bytes, with the whole configuration beside, and opens', async () => {
  const out = join(folder, 'exported');
  expect((await trainer(['export', '--run', join(runs, 'whole'), '--out', out])).code).toBe(0);
  const bytes = (path: string) => statSync(join(path, 'model.safetensors')).size;
  expect(bytes(out)).toBeLessThan(0.56 * bytes(join(runs, 'whole', 'model')));
  const training = JSON.parse(readFileSync(join(out, 'training.json'), 'utf8'));
  expect(training).toMatchObject({ kind: 'evaluator', step: 6, config: { network: { kind: 'dual-encoder' } } });
  const encoder = await readEncoderFolder(out);
  const backend = await openWasm({ threads: 1 });
  const opened = await openDualEncoder({ backend, encoder });
  expect(await opened.encodeTexts(['red heart', 'dog'])).toHaveLength(2 * 32);
  opened.dispose();
  await backend.dispose();
});

test('--dry-run says what the run would take, and refuses captions that are no classes', async () => {
  const { code, text } = await trainer([...tinyEvaluator(runs, 'dry'), '--dry-run']);
  expect(code).toBe(0);
  expect(existsSync(join(runs, 'dry'))).toBe(false);
  expect(text).toMatch(/26 to train on, 6 held out/);
  expect(text).toMatch(/"vocabularySize": 30\d/);
  const classes = tinyEvaluator(runs, 'dry', { network: { kind: 'image-classifier', image: { channels: [8, 16] } } });
  const refused = await trainer([...classes, '--dry-run']);
  // Each emoji has a caption of its own, and those that are held out are no classes.
  expect(refused).toMatchObject({ code: 2, text: expect.stringMatching(/DATA_CLASSES: .* is of the class/) });
});

test('whose run it is is told', async () => {
  expect((await trainer(tinyVae(runs, 'vae', { steps: 1, 'loss.adversarial': 0 }))).code).toBe(0);
  const vae = await resume('vae');
  expect(vae.text).toMatch(/RUN_KIND: .*vae is a run of `trainer vae`, not of `trainer evaluator`/);
  const train = await trainer(['train', '--resume', join(runs, 'whole'), '--runs', runs, '--backend', 'wasm']);
  expect(train.text).toMatch(/RUN_KIND: .*whole is a run of `trainer evaluator`, not of `trainer train`/);
});
