/**
 * @file Files of the disk that are not whole yet. Each is written by one process: its name says by which, so that what a
 * process left that ended is found and gone on with, and what another is writing is left alone.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { HashAlgorithm, PartialFile } from '../download.js';
import { hashFile } from './hash-file.js';

/** Nobody is writing to a file of this number. */
const NOBODY = 0;
const HOST = hostname()
  .replace(/[^a-zA-Z0-9]/g, '')
  .slice(0, 32);

export interface ClaimedFile extends PartialFile {
  /** Makes it the file at `path`. */
  complete(path: string): Promise<void>;
  /** Leaves it for the next time. */
  release(): Promise<void>;
}

/** A file for the bytes of `blob`, with what an earlier try left. */
export async function claimPartial(blob: string): Promise<ClaimedFile> {
  const own = partialName(blob, process.pid);
  for (const left of await leftovers(blob)) if (await isRenamed(left, own)) break;
  return openPartial(blob, own);
}

/** Of several processes that try, one succeeds. */
async function isRenamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch {
    return false;
  }
}

function partialName(blob: string, pid: number): string {
  return `${blob}.${HOST}-${pid}-${randomUUID().slice(0, 8)}.incomplete`;
}

/** Those of processes that ended, largest first. */
async function leftovers(blob: string): Promise<string[]> {
  const folder = dirname(blob);
  const names = (await readdir(folder)).filter((name) => name.startsWith(`${basename(blob)}.`));
  const free = names.filter((name) => {
    const [, host, pid] = /\.([a-zA-Z0-9]*)-(\d+)-[0-9a-f]{8}\.incomplete$/.exec(name) ?? [];
    return pid !== undefined && (Number(pid) === NOBODY || (host === HOST && !isRunning(Number(pid))));
  });
  const sized = await Promise.all(
    free.map(async (name) => {
      const path = join(folder, name);
      return { path, size: (await stat(path).catch(() => undefined))?.size ?? 0 };
    }),
  );
  return sized.sort((a, b) => b.size - a.size).map(({ path }) => path);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code !== 'ESRCH';
  }
}

async function openPartial(blob: string, path: string): Promise<ClaimedFile> {
  const handle: FileHandle = await open(path, 'a');
  let { size: length } = await handle.stat();
  return {
    get length() {
      return length;
    },
    async append(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, at, bytes.length - at);
        at += bytesWritten;
        length += bytesWritten;
      }
    },
    async restart() {
      await handle.truncate(0);
      length = 0;
    },
    hash: (algorithm: HashAlgorithm, prefix: Uint8Array) => hashFile(path, algorithm, prefix),
    async complete(target) {
      await handle.sync();
      await handle.close();
      await rename(path, target);
      for (const left of await leftovers(blob)) await rm(left, { force: true });
    },
    async release() {
      await handle.close().catch(() => {});
      if (length === 0) await rm(path, { force: true }).catch(() => {});
      else await rename(path, partialName(blob, NOBODY)).catch(() => {});
    },
  };
}
