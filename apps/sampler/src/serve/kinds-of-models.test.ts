/** @file Models of other kinds than the usual one: of several sizes, of images that are tokens, of text alone, of latents. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodePng, toBytes } from '@transfusion/data';
import { createSampler, type GenerateOptions } from '@transfusion/sampler';
import { openModelFolder } from '@transfusion/sampler/node';
import { ofTokens, tinyKl, tinyVq, writeTinyModelFolder } from '../testing/tiny-model-folder.js';
import { type TinyServer, tinyServers } from './testing/tiny-server.js';
import type { ServedModel } from './work/served-model.js';

type Given = Parameters<typeof writeTinyModelFolder> extends [string, ...infer Rest] ? Rest : never;

const servers = tinyServers();
let folder: string;
let server: TinyServer;
const models = new Map<string, ServedModel>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-kinds-'));
  const sizes = [
    { width: 8, height: 8 },
    { width: 16, height: 8 },
  ];
  const plain = { images: 'none', patchSize: undefined, patchValues: undefined } as const;
  const kinds: Record<string, Given> = {
    sizes: [undefined, sizes],
    tokens: [tinyVq, undefined, ofTokens],
    latents: [tinyKl],
    plain: [undefined, undefined, plain],
  };
  for (const [name, given] of Object.entries(kinds)) {
    await writeTinyModelFolder(join(folder, name), ...given);
    const loaded = await openModelFolder(join(folder, name), servers.backend);
    const sampler = createSampler({ backend: servers.backend, ...loaded });
    models.set(name, { name, sampler, created: 1, countTokens: (text) => loaded.tokenizer.encode(text).length });
  }
  server = await servers.start({ models: [...models.values()] });
});
afterAll(async () => {
  expect(server.logged).toEqual([]);
  await rm(folder, { recursive: true, force: true });
});

interface Answer {
  status: number;
  data: { b64_json: string }[];
  size: string;
  usage: { output_tokens: number };
  choices: { message: { content: string | null } }[];
  error: { message: string; code: string; param: string | null };
}

async function post(path: string, body: object): Promise<Answer> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(server.address + path, init);
  return { status: answer.status, ...((await answer.json()) as Omit<Answer, 'status'>) };
}

const draw = (model: string, more: object = {}) =>
  post('/v1/images/generations', { model, prompt: 'ab', seed: 2, ...more });
const pixelsOf = ({ data }: Answer) => toBytes(decodePng(Buffer.from(data[0].b64_json, 'base64')).data);

async function edit(model: string, fields: Record<string, string> = {}): Promise<Answer> {
  const form = new FormData();
  form.set('image', new Blob([Buffer.from((await draw('latents')).data[0].b64_json, 'base64')]), 'a.png');
  for (const [name, value] of Object.entries({ model, prompt: 'c', seed: '1', ...fields })) form.set(name, value);
  const answer = await fetch(`${server.address}/v1/images/edits`, { method: 'POST', body: form });
  return { status: answer.status, ...((await answer.json()) as Omit<Answer, 'status'>) };
}

async function drawn(model: string, more: Partial<GenerateOptions> = {}): Promise<Uint8Array> {
  const options = { prompt: [{ text: 'ab' }], seed: 2, forceImage: true, maxTokens: 0, ...more };
  for await (const event of models.get(model)!.sampler.generate(options)) {
    if (event.type === 'image') return toBytes(event.image.data);
  }
  throw new Error('no image came');
}

test('of several sizes: the one that is asked for, or that the model writes', async () => {
  const wide = await draw('sizes', { size: '16x8' });
  expect(wide).toMatchObject({ status: 200, size: '16x8', usage: { output_tokens: 8 } });
  expect(pixelsOf(wide)).toEqual(await drawn('sizes', { size: { width: 16, height: 8 } }));
  expect(pixelsOf(await draw('sizes'))).toEqual(await drawn('sizes'));
  expect(await draw('sizes', { size: '8x16' })).toMatchObject({ status: 400, error: { code: 'invalid_size' } });
  expect(await edit('sizes', { size: '16x8' })).toMatchObject({ status: 200, size: '16x8' });
  expect(await edit('sizes')).toMatchObject({ status: 200, size: '8x8' });
  const refused = await edit('sizes', { size: '9999x9999' });
  expect(refused.error).toMatchObject({
    param: 'size',
    message: "Invalid 'size': 9999x9999. The model edits 8x8, 16x8.",
  });
});

test('of latents', async () => {
  expect(pixelsOf(await draw('latents'))).toEqual(await drawn('latents'));
  expect(await edit('latents')).toMatchObject({ status: 200, size: '8x8' });
});

test('of images that are tokens: they are sampled; what is for denoising is refused by its name', async () => {
  expect(pixelsOf(await draw('tokens'))).toEqual(await drawn('tokens'));
  const refused = await draw('tokens', { num_inference_steps: 3 });
  expect(refused).toMatchObject({ status: 400, error: { param: 'num_inference_steps' } });
  expect(await edit('tokens')).toMatchObject({ status: 400, error: { param: 'image' } });
});

test('of text alone: it writes; images are refused', async () => {
  const messages = [{ role: 'user', content: 'ab' }];
  const written = await post('/v1/chat/completions', { model: 'plain', messages, max_tokens: 4 });
  expect(written).toMatchObject({ status: 200, choices: [{ message: { content: expect.any(String) } }] });
  for (const answer of [
    await draw('plain'),
    await edit('plain'),
    await post('/v1/chat/completions', { model: 'plain', messages, modalities: ['image'] }),
  ]) {
    expect(answer).toMatchObject({ status: 400, error: { code: 'unsupported_by_model' } });
  }
});
