/** @file `fromHub` in Node. */
import { join } from 'node:path';
import type { FileSource } from '@transfusion/checkpoint';
import { FolderSource } from '@transfusion/checkpoint/node';
import { HubClient } from '../client.js';
import { fetchModel } from '../fetch-model.js';
import { type HubOptions, resolveOptions } from '../options.js';
import { DiskStore } from './disk-store.js';
import { hubCacheFolder, hubEndpoint, hubToken, isOffline } from './environment.js';

export interface NodeHubOptions extends HubOptions {
  /** Where files are kept; default: where all of Hugging Face's libraries keep them (`hubCacheFolder`). */
  cacheDir?: string;
}

/** A model of the hub that is here. */
export interface HubFolder extends FileSource {
  /** Folder of the disk that it is in; its files may be links, and must not be changed. */
  readonly folder: string;
  /** The commit that it is of. */
  readonly commit: string;
}

/**
 * Fetches a model of the Hugging Face hub, unless it is here, and gives its files: `openModel` and `readModel` of @transfusion/sampler
 * take them. All are here when it returns; each is checked by the hash that the hub tells, goes on where it broke off, and is kept in the
 * cache of Hugging Face's Python library, which shares it. The environment is as there: HF_HUB_CACHE, HF_HOME, HF_ENDPOINT, HF_TOKEN,
 * HF_HUB_OFFLINE.
 *
 * @param name `owner/name`, or `hf://owner/name@revision/folder`
 * @throws HubError HUB_OPTIONS, HUB_NOT_FOUND, HUB_REVISION, HUB_FILE, HUB_ACCESS, HUB_OFFLINE, HUB_NETWORK, HUB_ANSWER, HUB_HASH,
 *   HUB_CACHE; the signal's reason
 */
export async function fromHub(name: string, options: NodeHubOptions = {}): Promise<HubFolder> {
  const environment = process.env;
  const { token = hubToken(environment), endpoint: given = hubEndpoint(environment) } = options;
  const { address, endpoint } = resolveOptions(name, { ...options, token, endpoint: given });
  const { cacheDir = hubCacheFolder(environment), localFilesOnly = isOffline(environment), signal } = options;
  const store = new DiskStore(cacheDir, address.name);
  const connect = (also?: AbortSignal) => {
    const signals = [signal, also].filter((each) => each !== undefined);
    return new HubClient({ ...options, token, endpoint, redirects: 'own', signal: AbortSignal.any(signals) });
  };
  signal?.throwIfAborted();
  const { commit } = await fetchModel(address, options, store, localFilesOnly ? undefined : connect);
  const folder = join(store.snapshot(commit), ...address.subfolder.split('/'));
  return new DiskFolder(folder, commit);
}

class DiskFolder extends FolderSource implements HubFolder {
  readonly folder: string;
  readonly commit: string;

  constructor(folder: string, commit: string) {
    super(folder);
    this.folder = folder;
    this.commit = commit;
  }
}
