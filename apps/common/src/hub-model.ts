/** @file Models of the Hugging Face hub on a command line: here when a command starts, with progress while they come. */
import { fromHub, isHubAddress } from '@transfusion/hub/node';
import type { AdapterChoice } from './adapter-path.js';
import { createProgress, type Progress } from './progress.js';
import type { Terminal } from './terminal.js';

/** For help texts. */
export const HUB_MODEL = 'hf://owner/name[@revision] of the Hugging Face hub';
/** For help texts: what a model is given by. */
export const GIVEN_MODEL = `a trained model, the name of a package that has one, or ${HUB_MODEL}`;

/**
 * The folder of a model: of an address of the hub (`hf://...`) that of its files, fetched where they are not here yet; anything else is
 * returned as it is.
 *
 * @throws HubError: see `fromHub`; the signal's reason
 */
export async function localModel(nameOrPath: string, { signal }: Pick<Terminal, 'signal'>): Promise<string> {
  if (!isHubAddress(nameOrPath)) return nameOrPath;
  let progress: Progress | undefined;
  try {
    const { folder } = await fromHub(nameOrPath, {
      signal,
      onProgress({ done, total, fetched }) {
        if (fetched === 0) return;
        progress ??= createProgress({ label: `fetching ${nameOrPath}, MB:`, total: megabytes(total) });
        progress.update(megabytes(done));
      },
    });
    return folder;
  } finally {
    progress?.stop();
  }
}

/** LoRAs, with the folders that they are in (see `localModel`). */
export async function localAdapters(
  adapters: readonly AdapterChoice[] = [],
  terminal: Pick<Terminal, 'signal'>,
): Promise<AdapterChoice[]> {
  const local: AdapterChoice[] = [];
  for (const adapter of adapters) local.push({ ...adapter, path: await localModel(adapter.path, terminal) });
  return local;
}

function megabytes(bytes: number): number {
  return Math.ceil(bytes / 1e6);
}
