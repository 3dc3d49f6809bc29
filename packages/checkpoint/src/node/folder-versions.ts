/**
 * @file The versions of a folder that a writer, or its crash, may leave beside it. For a folder `model`:
 * `model.tmp-PID-ID` is being written; `model.new-N` is complete and about to become `model`; `model.old-N` was `model`
 * until then. At any moment `model`, a `new` or an `old` one exists and is complete, once `model` was written at all.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CheckpointError } from '../errors.js';
import { fixForSingleFile } from '../foreign-file.js';
import { renameFolder } from './durable-files.js';
import { errorCode, fileError } from './file-errors.js';

interface Versions {
  /** Complete ones beside the folder itself, best first: new before old, later before earlier. */
  complete: string[];
  /** Unfinished ones, with the process that writes or wrote them. */
  unfinished: { path: string; pid: number }[];
  /** A number larger than any in use. */
  nextNumber: number;
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

async function listVersions(path: string): Promise<Versions> {
  const parent = dirname(path);
  const prefix = `${basename(path)}.`;
  const numbered: { kind: string; number: number; path: string }[] = [];
  const unfinished: Versions['unfinished'] = [];
  for (const name of await readdir(parent).catch(() => [] as string[])) {
    if (!name.startsWith(prefix)) continue;
    const rest = name.slice(prefix.length);
    const complete = /^(new|old)-(\d{1,15})$/.exec(rest);
    const partial = /^tmp-(\d{1,10})-/.exec(rest);
    if (complete) numbered.push({ kind: complete[1], number: Number(complete[2]), path: join(parent, name) });
    if (partial) unfinished.push({ path: join(parent, name), pid: Number(partial[1]) });
  }
  numbered.sort((a, b) => (a.kind === b.kind ? b.number - a.number : a.kind === 'new' ? -1 : 1));
  return {
    complete: numbered.map((version) => version.path),
    unfinished,
    nextNumber: Math.max(0, ...numbered.map((version) => version.number)) + 1,
  };
}

/**
 * The folder to read: `path`, or where a crash (or a writer at this moment) left none, its best complete version.
 * Changes nothing.
 *
 * @throws CheckpointError CHECKPOINT_MISSING
 */
export async function locateFolder(path: string): Promise<string> {
  // A writer may finish between the look at `path` and the list of its versions: then `path` exists again.
  for (let attempt = 0; attempt < 5; attempt++) {
    if (await isFolder(path)) return path;
    const { complete } = await listVersions(path);
    if (await isFolder(path)) return path;
    for (const candidate of complete) {
      if (await isFolder(candidate)) return candidate;
    }
    await delay(attempt);
  }
  const isThere = (await stat(path).catch(() => undefined)) !== undefined;
  const isInModel = isThere && (await stat(join(dirname(path), 'config.json')).catch(() => undefined)) !== undefined;
  throw new CheckpointError({
    code: 'CHECKPOINT_MISSING',
    message: isThere ? `${path} is a file, expected a folder` : `folder ${path} does not exist`,
    fix: isInModel
      ? `give its folder, ${dirname(path)}`
      : isThere
        ? fixForSingleFile(path)
        : 'check the path; train or download a model first',
  });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/**
 * Before writing: finishes or removes what earlier writers left. Afterwards `path` exists if any complete version did.
 * Returns the number for the next version. One process writes to a folder at a time.
 */
export async function settleVersions(path: string): Promise<number> {
  const { complete, unfinished, nextNumber } = await listVersions(path);
  if (complete.length > 0 && !(await isFolder(path))) {
    const [best] = complete.splice(0, 1);
    await renameFolder(best, path);
  }
  const dead = unfinished.filter(({ pid }) => pid === process.pid || !isRunning(pid)).map((version) => version.path);
  for (const leftover of [...complete, ...dead]) await rm(leftover, { recursive: true, force: true });
  return nextNumber;
}

async function identity(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found && `${found.dev}:${found.ino}`;
}

/**
 * Calls `read` with the folder to read, again if a writer replaced the folder meanwhile: all that one call reads is of
 * one version.
 */
export async function readConsistently<T>(path: string, read: (folder: string) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    const folder = await locateFolder(path);
    const before = await identity(folder);
    let outcome: { value: T } | { error: unknown };
    try {
      outcome = { value: await read(folder) };
    } catch (error) {
      outcome = { error };
    }
    // A version beside `path` may be deleted file by file, its folder last, as soon as `path` is there again.
    const superseded = folder !== path && (await isFolder(path));
    const unchanged = before !== undefined && before === (await identity(folder)) && !superseded;
    if (unchanged || attempt === 20) {
      if ('value' in outcome) return outcome.value;
      throw fileError('CHECKPOINT_READ_FAILED', `cannot read ${path}`, outcome.error);
    }
  }
}
