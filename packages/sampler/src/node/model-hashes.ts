/** @file What a model folder holds, as hashes: whether a picture was drawn by this model. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { locateFolder } from '@transfusion/checkpoint/node';
import type { StoredAdapter } from '../adapter-folder.js';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS } from '../adapter-format.js';
import { readModelFiles, type StoredModel } from '../model-folder.js';
import type { ModelHashes } from '../png-settings.js';
import { findModelFolder } from './find-model.js';
import { type AdapterPath, openBase, readAdapterFolder, withOwnAdapter } from './model-folder.js';

const WEIGHTS = /\.safetensors$/;

/** `readModelFolder`, and the hashes of the same version of the folder. @throws as that */
export async function readHashedModelFolder(
  nameOrPath: string,
  { adapters = [] }: { adapters?: readonly AdapterPath[] } = {},
): Promise<{ stored: StoredModel; hashes: ModelHashes }> {
  const path = findModelFolder(nameOrPath);
  const { base, adapters: all } = await withOwnAdapter(path, adapters);
  const { stored, hashes } = await openBase(path, base, async (folder) => {
    const stored = await readModelFiles(folder);
    const disk = await locateFolder(base);
    const names = await folder.list!();
    const inVae = stored.vae ? (await folder.list!('vae')).map((name) => join('vae', name)) : [];
    const sha256 = (files: readonly string[]) => hashFiles(files.map((name) => join(disk, name)));
    const hashes = {
      config: await sha256(['config.json']),
      tokenizer: await sha256(['tokenizer.json']),
      // What training needs to go on is no part of the model.
      weights: await sha256(names.filter((name) => WEIGHTS.test(name) && !name.startsWith('optimizer'))),
      ...(stored.vae && {
        vae: await sha256(inVae.filter((name) => name.endsWith('config.json') || WEIGHTS.test(name))),
      }),
    };
    return { stored, hashes };
  });
  if (all.length === 0) return { stored, hashes };
  const read: StoredAdapter[] = [];
  const hashed: NonNullable<ModelHashes['adapters']> = [];
  for (const { path, strength = 1 } of all) {
    read.push(await readAdapterFolder(path, stored, { strength }));
    const disk = await locateFolder(path);
    hashed.push({
      sha256: await hashFiles([ADAPTER_CONFIG, ADAPTER_WEIGHTS].map((name) => join(disk, name))),
      strength,
    });
  }
  return { stored: { ...stored, adapters: read }, hashes: { ...hashes, adapters: hashed } };
}

/** SHA-256 of the files one after the other, by name. */
async function hashFiles(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of [...paths].sort()) for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
}
