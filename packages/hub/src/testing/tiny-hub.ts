/** @file A hub with one tiny model, and a cache, for the tests of one file. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileSource } from '@transfusion/checkpoint';
import { fromHub, type HubFolder, type NodeHubOptions } from '../node/index.js';
import { type Fault, type Files, HubServer, sha256 } from './hub-server.js';

export const NAME = 'owner/tiny';
export const text = (value: string) => Buffer.from(value);

/** Bytes without a pattern that a mistake in places could hide behind. */
export function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0, x = seed; i < length; i++) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    bytes[i] = x >>> 16;
  }
  return bytes;
}

export const weights = noise(3_000_000, 1);
export const files: Files = {
  '.gitattributes': text('*.safetensors filter=lfs\n'),
  'README.md': text('# tiny\n'),
  'config.json': text('{"a": 1}\n'),
  'model.safetensors': weights,
  'optimizer.safetensors': noise(50, 2),
  'vae/config.json': text('{"b": 2}\n'),
  'vae/diffusion_pytorch_model.safetensors': noise(70_000, 3),
};
/** Those that a model consists of. */
export const FETCHED = [
  'config.json',
  'model.safetensors',
  'vae/config.json',
  'vae/diffusion_pytorch_model.safetensors',
];

export interface TinyHub {
  server: HubServer;
  cacheDir: string;
  /** Where `files` are. */
  commit: string;
  /** Of the model, in the cache. */
  folder: string;
  open(options?: NodeHubOptions, name?: string): Promise<HubFolder>;
  /** Faults of the first requests for the weights; later ones are answered. */
  faults(...all: Fault[]): void;
}

/** Made anew for each test; the environment says nothing of a hub. */
export function useTinyHub(): TinyHub {
  const hub = {
    open: (options: NodeHubOptions = {}, name = NAME) =>
      fromHub(name, { cacheDir: hub.cacheDir, endpoint: hub.server.url, retries: 2, ...options }),
    faults(...all: Fault[]) {
      hub.server.fault = (request, response) => {
        const isWeights = request.at === 'cdn' && request.path === `/${sha256(weights)}`;
        return isWeights ? (all.shift()?.(request, response) ?? false) : false;
      };
    },
  } as TinyHub;
  const environment = { ...process.env };
  beforeEach(async () => {
    const isOfHub = (name: string) => /^(HF|HUGGING|TRANSFORMERS|XDG)/.test(name);
    for (const name of Object.keys(process.env).filter(isOfHub)) delete process.env[name];
    hub.cacheDir = await mkdtemp(join(tmpdir(), 'transfusion-hub-'));
    hub.folder = join(hub.cacheDir, 'models--owner--tiny');
    process.env.HF_HOME = join(hub.cacheDir, 'home');
    hub.server = await HubServer.start();
    hub.commit = hub.server.commit(NAME, files);
  });
  afterEach(async () => {
    process.env = { ...environment };
    await hub.server.close();
    await rm(hub.cacheDir, { recursive: true, force: true });
  });
  return hub;
}

export async function bytesOf(source: FileSource, name: string): Promise<Buffer> {
  const bytes = Buffer.alloc(await source.size(name));
  await source.read(name, 0, bytes);
  return bytes;
}

export async function expectFiles(source: FileSource, expected = files, names = FETCHED): Promise<void> {
  for (const name of names) expect((await bytesOf(source, name)).equals(expected[name])).toBe(true);
}
