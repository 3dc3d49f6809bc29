/** @file `fromHub` in a page. */
import type { FileSource } from '@transfusion/checkpoint';
import { BrowserStore } from './browser-store.js';
import { HubClient } from './client.js';
import { fetchModel } from './fetch-model.js';
import { KeptSource } from './kept-source.js';
import { type HubOptions, resolveOptions } from './options.js';

/** A model of the hub that is here. */
export interface HubSource extends FileSource {
  /** The commit that it is of. */
  readonly commit: string;
}

/**
 * Fetches a model of the Hugging Face hub, unless the browser keeps it, and gives its files: `openModel` and `readModel` of
 * @transfusion/sampler take them. All are here when it returns; each is checked by the hash that the hub tells, goes on where it broke off,
 * and is kept in OPFS. In Node import `@transfusion/hub/node`.
 *
 * @param name `owner/name`, or `hf://owner/name@revision/folder`
 * @throws HubError HUB_OPTIONS, HUB_NOT_FOUND, HUB_REVISION, HUB_FILE, HUB_ACCESS, HUB_OFFLINE, HUB_NETWORK, HUB_ANSWER, HUB_HASH,
 *   HUB_CACHE; the signal's reason
 */
export async function fromHub(name: string, options: HubOptions = {}): Promise<HubSource> {
  const { address, endpoint } = resolveOptions(name, options);
  const { signal, localFilesOnly = false } = options;
  signal?.throwIfAborted();
  const store = new BrowserStore(address.name, { signal });
  const connect = (also?: AbortSignal) => {
    const signals = [signal, also].filter((each) => each !== undefined);
    return new HubClient({ ...options, endpoint, redirects: 'engine', signal: AbortSignal.any(signals) });
  };
  const { commit, files } = await fetchModel(address, options, store, localFilesOnly ? undefined : connect);
  const prefix = address.subfolder && `${address.subfolder}/`;
  const named = new Map([...files].map(([path, file]) => [path.slice(prefix.length), file]));
  return new KeptSource({
    name: `hf://${address.name}${prefix && `/${address.subfolder}`}`,
    commit,
    files: named,
    store,
  });
}
