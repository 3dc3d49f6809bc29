/** @file One model, from a disk, from servers and from memory, in one file and in several: the same picture, bit for bit. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FileSource, FolderReader, MemorySource, UrlSource, writeSafetensors } from '@transfusion/checkpoint';
import { FolderSource, saveModelFolder } from '@transfusion/checkpoint/node';
import type { RgbImage } from '@transfusion/data';
import { createSampler, type LoadedModel, openModel, readModel } from '@transfusion/sampler';
import { openModelFolder } from '@transfusion/sampler/node';
import type { Backend } from '@transfusion/tensor';
import { readCodecFolder } from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';
import { end, type FileServer, fileListener, serve } from '../packages/checkpoint/src/testing/file-server';
import { tinyCodecWeights, tinyKl, tinyLatentConfig } from '../packages/sampler/src/testing/tiny-codec';
import { byteTokenizer, tinyWeights } from '../packages/sampler/src/testing/tiny-model';

// A dozen functions are compiled for each picture.

const config = tinyLatentConfig(tinyKl);
const DIFFUSERS = 'diffusion_pytorch_model.safetensors';
let folder: string;
let backend: Backend;
let expected: RgbImage[];
const servers: FileServer[] = [];
const path = (kind: 'whole' | 'sharded') => join(folder, kind);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-model-sources-'));
  backend = await openWasm({ threads: 1 });
  const parts = { config, tensors: tinyWeights(config), tokenizer: byteTokenizer().toJson() };
  const vae = { config: tinyKl, tensors: tinyCodecWeights(tinyKl) };
  await saveModelFolder({ ...parts, vae, path: path('whole') });
  await saveModelFolder({ ...parts, vae, path: path('sharded'), maxShardBytes: 4000 });
  expected = await draw(await openModelFolder(path('whole'), backend));
});
afterAll(async () => {
  for (const server of servers) await server.close();
  await backend.dispose();
  await rm(folder, { recursive: true, force: true });
});

async function draw(model: LoadedModel): Promise<RgbImage[]> {
  const sampler = createSampler({ backend, ...model });
  const images = await sampler.drawImages({ prompts: ['red', ''], seed: 4, steps: 2 });
  sampler.dispose();
  model.dispose();
  return images;
}

async function filesIn(path: string): Promise<Record<string, Uint8Array>> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const named = files.map(async (file) => [file.slice(path.length + 1).replaceAll('\\', '/'), await readFile(file)]);
  return Object.fromEntries(await Promise.all(named));
}

async function urlOf(path: string, options: { ranges?: boolean } = {}): Promise<FileSource> {
  const server = await serve(fileListener(await filesIn(path), options));
  servers.push(server);
  return new UrlSource(server.url);
}

const sources: [string, (path: string) => Promise<FileSource>][] = [
  ['the disk', async (path) => new FolderSource(path)],
  ['a server', urlOf],
  ['a server of whole files', (path) => urlOf(path, { ranges: false })],
  ['memory', async (path) => new MemorySource(await filesIn(path))],
];
const kinds = ['whole', 'sharded'] as const;

describe.each(sources)('from %s', (_, open) => {
  test.each(kinds)('%s', async (kind) => {
    const source = await open(path(kind));
    expect(await draw(await openModel(source, backend))).toEqual(expected);
    await source.close();
  });
});

test('a picture is of what the files hold', async () => {
  const files = await filesIn(path('whole'));
  const weights = writeSafetensors(tinyCodecWeights(tinyKl, 2));
  const changed = new MemorySource({ ...files, [`vae/${DIFFUSERS}`]: weights });
  expect(await draw(await openModel(changed, backend))).not.toEqual(expected);
});

test('the sharded folder is one, and diffusers finds its autoencoder', async () => {
  const files = Object.keys(await filesIn(path('sharded')));
  expect(files.filter((name) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(name)).length).toBeGreaterThan(2);
  expect(files).toEqual(expect.arrayContaining(['model.safetensors.index.json', `vae/${DIFFUSERS}.index.json`]));
  expect(files).not.toContain('model.safetensors');
  expect(Object.keys(await filesIn(path('whole'))).sort()).toEqual([
    ...['config.json', 'model.safetensors', 'tokenizer.json', 'vae/config.json', `vae/${DIFFUSERS}`],
  ]);
});

test('an autoencoder alone, from a server: its weights are asked for by the names in use, the first one first', async () => {
  const source = await urlOf(path('whole'));
  const stored = await readCodecFolder(new FolderReader(source), 'vae');
  expect(stored.config).toEqual({ kind: 'kl', autoencoder: tinyKl });
  expect(stored.where).toBe(`${source.name}/vae/${DIFFUSERS}`);
  expect(new Map([...stored.weights].sort())).toEqual(new Map([...tinyCodecWeights(tinyKl)].sort()));
  const asked = servers[servers.length - 1].requests.map((request) => request.split(' ')[1]);
  expect([...new Set(asked)]).toEqual(['vae/config.json', `vae/${DIFFUSERS}`]);
});

describe('from a server that has another model, or none', () => {
  const from = async (files: Record<string, Uint8Array>) => {
    const server = await serve(fileListener(files));
    servers.push(server);
    return new UrlSource(server.url, { retries: 0 });
  };

  test('sizes are told before weights are fetched', async () => {
    const files = await filesIn(path('whole'));
    const wider = { ...config, model: { ...config.model, feedForward: 32 } };
    const source = await from({ ...files, 'config.json': Buffer.from(JSON.stringify(wider)) });
    await expect(readModel(source)).rejects.toThrow(
      /^CHECKPOINT_CONTENT: http.*model\.safetensors does not fit config\.json: .*is \[24, 16\], expected \[32, 16\]/,
    );
    const { requests } = servers[servers.length - 1];
    expect(requests.filter((request) => request.includes(' model.safetensors'))).toEqual([
      'GET model.safetensors 0-65535',
    ]);
  });

  test('a lost shard, a lost file, the wrong address', async () => {
    const files = await filesIn(path('sharded'));
    const lost = Object.keys(files).find((name) => name.startsWith('model-00002'))!;
    const { [lost]: _, ...rest } = files;
    await expect(readModel(await from(rest))).rejects.toThrow(
      new RegExp(`^CHECKPOINT_MISSING: http.*index\\.json names \\d+ files of weights, missing: ${lost}`),
    );
    const { 'tokenizer.json': tokenizer, ...less } = files;
    await expect(readModel(await from(less))).rejects.toThrow(/^CHECKPOINT_MISSING: http.* has no tokenizer\.json/);
    await expect(readModel(await from({}))).rejects.toThrow(/^CHECKPOINT_MISSING: http.* has no config\.json/);
  });

  test('a web page under every name', async () => {
    const server = await serve((_, response) => end(response, 200, {}, '<!doctype html>'));
    servers.push(server);
    await expect(readModel(new UrlSource(server.url))).rejects.toThrow(
      /^CHECKPOINT_FORMAT: .*config\.json is a web page/,
    );
  });
});
