/** @file Brings the files of a model here: those that are not, once, several at a time. */

import { type HubAddress, isCommit } from './address.js';
import { fetchCommit, fetchTree } from './api.js';
import type { HubClient } from './client.js';
import { download, otherHash } from './download.js';
import { HubError } from './errors.js';
import type { HubStore } from './store.js';
import { chooseFiles, formatTree, type HubFile, type HubTree, parseTree } from './tree.js';

/** Files that are fetched at once. */
const AT_ONCE = 4;

/** How far the files of a model are. */
export interface HubProgress {
  /** Bytes of all files that are wanted. */
  total: number;
  /** Bytes of them that are here, those of before included. */
  done: number;
  /** Bytes that came over the network for them. */
  fetched: number;
  /** The file that the last of them are of. */
  file: string;
}

export interface FetchOptions {
  /** Default: the files of a model (see `chooseFiles`). */
  files?: readonly string[];
  /** Hash what is kept, too. */
  verify?: boolean;
  onProgress?: (progress: HubProgress) => void;
}

export interface FetchedModel {
  commit: string;
  /** By path in the model, all of them here. */
  files: ReadonlyMap<string, HubFile>;
}

/**
 * A revision is asked for once, unless it is a commit; files that are here are not. Where the hub cannot be reached, what is here will do.
 *
 * @param connect undefined: nothing may be fetched. What it gives ends with the signal
 * @throws HubError; the signal's reason
 */
export async function fetchModel(
  address: HubAddress,
  options: FetchOptions,
  store: HubStore,
  connect: ((signal?: AbortSignal) => HubClient) | undefined,
): Promise<FetchedModel> {
  const client = connect?.();
  const resolved = await resolveCommit(address, store, client);
  const { commit } = resolved;
  const listed = await resolveTree(address, commit, store, resolved.fault ? undefined : client);
  const { tree } = listed;
  const fault = resolved.fault ?? listed.fault;
  if (tree === undefined) throw fault ?? notKept(address, []);
  const files = chooseFiles(tree, { ...options, subfolder: address.subfolder }, address.name);
  const canFetch = connect !== undefined && fault === undefined;
  const missing = options.verify
    ? await findWrong(address.name, { commit, files }, store, canFetch)
    : await findMissing({ commit, files }, store);
  if (missing.length > 0) {
    if (!canFetch) throw fault ?? notKept(address, missing);
    await fetchFiles(address, { commit, files, missing, onProgress: options.onProgress }, store, connect);
  } else report(options.onProgress, files);
  if (address.revision !== commit && canFetch) await ifPossible(store.keepCommit(address.revision, commit));
  return { commit, files };
}

/** With `fault`, why it is that of before. */
async function resolveCommit(
  { name, revision }: HubAddress,
  store: HubStore,
  client: HubClient | undefined,
): Promise<{ commit: string; fault?: HubError }> {
  if (isCommit(revision)) return { commit: revision };
  let fault: HubError | undefined;
  if (client) {
    try {
      return { commit: await fetchCommit(client, name, revision) };
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'HUB_NETWORK') throw error;
      fault = error;
    }
  }
  const commit = await store.commitOf(revision);
  if (commit !== undefined) return { commit, fault };
  throw fault ?? notKept({ name, revision, subfolder: '' }, []);
}

/** With `fault`, why it is what is here of a commit that was never listed. */
async function resolveTree(
  { name }: HubAddress,
  commit: string,
  store: HubStore,
  client: HubClient | undefined,
): Promise<{ tree?: HubTree; fault?: HubError }> {
  const kept = await store.tree(commit);
  const tree = kept === undefined ? undefined : parseTree(kept);
  if (tree) return { tree };
  let fault: HubError | undefined;
  if (client) {
    try {
      const text = formatTree(await fetchTree(client, name, commit));
      await ifPossible(store.keepTree(commit, text));
      return { tree: parseTree(text) };
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'HUB_NETWORK') throw error;
      fault = error;
    }
  }
  const found = await store.filesOf?.(commit);
  return { tree: found && found.size > 0 ? found : undefined, fault };
}

/** What is told of a model may be asked for again: files that are here are of use in a folder that cannot be written, too. */
async function ifPossible(keeping: Promise<void>): Promise<void> {
  try {
    await keeping;
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'HUB_CACHE') throw error;
  }
}

async function findMissing({ commit, files }: FetchedModel, store: HubStore): Promise<string[]> {
  const missing: string[] = [];
  for (const [path, file] of files) if (!(await store.has(commit, path, file))) missing.push(path);
  return missing;
}

/** Those that are missing, and those that have another hash: they are taken away if they can be fetched. @throws HubError HUB_HASH */
async function findWrong(
  model: string,
  { commit, files }: FetchedModel,
  store: HubStore,
  canFetch: boolean,
): Promise<string[]> {
  const wrong = await findMissing({ commit, files }, store);
  for (const [path, file] of files) {
    if (wrong.includes(path)) continue;
    if (file.hash === '') throw uncheckable(`${model}/${path}`);
    const found = await store.hash(commit, path, file);
    if (found === file.hash) continue;
    if (!canFetch) throw otherHash(`${model}/${path}`, found, file.hash);
    await store.drop(commit, path, file);
    wrong.push(path);
  }
  return wrong;
}

function uncheckable(where: string): HubError {
  return new HubError({
    code: 'HUB_OFFLINE',
    message: `${where} is kept without its hash, so it cannot be checked offline`,
    fix: 'go online once, or leave `verify` out',
  });
}

interface Fetching extends FetchedModel, Pick<FetchOptions, 'onProgress'> {
  missing: readonly string[];
}

/** The first error ends all. */
async function fetchFiles(
  { name }: HubAddress,
  { commit, files, missing, onProgress }: Fetching,
  store: HubStore,
  connect: (signal?: AbortSignal) => HubClient,
): Promise<void> {
  const stop = new AbortController();
  const client = connect(stop.signal);
  const total = sizeOf(files.values());
  let done = total - sizeOf(missing.map((path) => files.get(path)!));
  let fetched = 0;
  const fetchOne = async (path: string) => {
    const file = files.get(path)!;
    await store.keep(commit, path, file, async (partial) => {
      done += partial.length;
      const onBytes = (count: number) => {
        done += count;
        fetched += Math.max(0, count);
        onProgress?.({ total, done, fetched, file: path });
      };
      await download(client, { file, partial, wanted: { model: name, revision: commit, path }, onBytes });
    });
  };
  const waiting = [...missing];
  const worker = async () => {
    for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
      if (stop.signal.aborted) return;
      await fetchOne(path);
    }
  };
  let failure: { error: unknown } | undefined;
  const guarded = () =>
    worker().catch((error: unknown) => {
      failure ??= { error };
      stop.abort(error);
    });
  await Promise.all(Array.from({ length: AT_ONCE }, guarded));
  if (failure) throw failure.error;
  report(onProgress, files, fetched);
}

function report(onProgress: FetchOptions['onProgress'], files: ReadonlyMap<string, HubFile>, fetched = 0): void {
  const total = sizeOf(files.values());
  onProgress?.({ total, done: total, fetched, file: [...files.keys()].at(-1) ?? '' });
}

function sizeOf(files: Iterable<HubFile>): number {
  return [...files].reduce((sum, { size }) => sum + size, 0);
}

function notKept({ name, revision }: HubAddress, missing: readonly string[]): HubError {
  const what = missing.length > 0 ? `${missing.slice(0, 5).join(', ')} of ${name}` : `${name} at ${revision}`;
  return new HubError({
    code: 'HUB_OFFLINE',
    message: `${what} ${missing.length > 1 ? 'are' : 'is'} not kept here, and nothing may be fetched`,
    fix: 'fetch it once without HF_HUB_OFFLINE and localFilesOnly, or give the folder that it is kept in (HF_HUB_CACHE)',
  });
}
