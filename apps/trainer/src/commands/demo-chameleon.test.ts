/** @file The demo with images as tokens, on a model that is small enough for a test; and what of such runs is refused. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openModelFolder } from '@transfusion/sampler/node';
import { openWasm } from '@transfusion/wasm';
import { run } from '../main.js';
import { findAll, parsePage } from '../report/testing/html.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-chameleon-'));
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterAll(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true });
});

async function trainer(command: string, set: Record<string, unknown>, ...more: string[]) {
  const fields = Object.entries(set).flatMap(([name, value]) => ['--set', `${name}=${JSON.stringify(value)}`]);
  const [out, log]: string[][] = [[], []];
  const argv = [command, '--runs', join(folder, 'runs'), '--backend', 'wasm', '--threads', '1', ...more, ...fields];
  const terminal = { out: (text: string) => void out.push(text), log: (text: string) => void log.push(text) };
  const code = await run(argv, { ...terminal, signal: new AbortController().signal });
  return { code, out: out.join('\n'), log: log.join('\n') };
}

test('trains, scores and leaves a model of tokens', async () => {
  const sizes = { 'model.layers': 1, 'model.channels': 16, 'model.heads': 2, 'model.feedForward': 24 };
  const small = { 'data.demoSet': 2, 'batch.rows': 2, 'tokenizer.vocabularySize': 270, steps: 4, logEvery: 2 };
  const { code, log } = await trainer('demo', { ...sizes, ...small }, '--preset', 'chameleon');
  expect([code, log]).toEqual([0, expect.stringContaining('captioning')]);
  expect(log).not.toContain('has no effect');
  const at = join(folder, 'runs', 'chameleon');
  const result = JSON.parse(await readFile(join(at, 'demo.json'), 'utf8'));
  // Untrained: near uniform over 2,048 codes and the ids of text.
  expect(result.finalImageLoss).toBeGreaterThan(6);
  expect(result.finalImageLoss).toBeLessThan(9);
  const html = parsePage(await readFile(join(at, 'report.html'), 'utf8'));
  expect(html.text).toContain('over the tokens of texts and of images');
  expect(html.text).toContain('image: cross-entropy per token');
  expect(findAll(html, 'polyline')).toHaveLength(2);
  const backend = await openWasm({ threads: 1 });
  const model = await openModelFolder(join(at, 'model'), backend);
  const text = model.tokenizer.vocabularySize;
  expect(model.config).toMatchObject({
    model: { images: 'tokens', norm: 'post', qkNorm: true, vocabularySize: text + 2048 },
    codec: { kind: 'vq' },
  });
  model.dispose();
  await backend.dispose();

  const again = await trainer('demo', { ...sizes, ...small }, '--preset', 'chameleon');
  expect([again.code, again.log]).toEqual([0, expect.stringMatching(/is kept in .*chameleon-1; this one starts over/)]);
  expect((await readdir(join(folder, 'runs'))).sort()).toEqual(['chameleon', 'chameleon-1']);
  expect(JSON.parse(await readFile(join(`${at}-1`, 'demo.json'), 'utf8'))).toEqual(result);
}, 60_000);

test.each([
  ['tokens without a codec', { 'model.images': 'tokens' }, /codec: model.images is tokens: .*emoji-64-vq/],
  [
    'tokens of a codec without codes',
    { 'model.images': 'tokens', codec: 'emoji-64-kl', 'data.imageSize': 64 },
    /CONFIG_CODEC/,
  ],
  [
    'latents of tokens',
    { 'model.images': 'tokens', codec: 'emoji-64-vq', 'data.latents': 'somewhere' },
    /data.latents: model.images is tokens/,
  ],
  ['pictures of a plain language model', { 'model.images': 'none' }, /model.images: none goes with data.dataset=none/],
])('%s are refused', async (_, set, message) => {
  const { code, log } = await trainer('train', { ...set, 'data.demoSet': 2 }, '--dry-run');
  expect([code, log]).toEqual([2, expect.stringMatching(message)]);
});
