/**
 * @file The cache that Hugging Face's libraries share (https://huggingface.co/docs/hub/local-cache): of each model a folder with
 * `blobs` (files by hash), `snapshots` (by commit, links to blobs), `refs` (the commit of a branch) and `trees` (the files of a commit).
 */
import { randomUUID } from 'node:crypto';
import {
  copyFile,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { reason, TransfusionError } from '@transfusion/core';
import { hashOf, type PartialFile } from '../download.js';
import { HubError } from '../errors.js';
import type { HubStore } from '../store.js';
import type { HubFile, HubTree } from '../tree.js';
import { hashFile } from './hash-file.js';
import { claimPartial } from './partial-file.js';

const HASH = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
/** What file systems say that have no links, or give none to this user. */
const NO_LINKS = ['EPERM', 'EACCES', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'UNKNOWN'];

export class DiskStore implements HubStore {
  /** Of the model. */
  readonly folder: string;
  readonly #link: typeof symlink;

  /** @param link for tests: how a link is made */
  constructor(cacheDir: string, model: string, link: typeof symlink = symlink) {
    this.folder = join(cacheDir, ['models', ...model.split('/')].join('--'));
    this.#link = link;
  }

  /** The folder of a commit. */
  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  async commitOf(revision: string): Promise<string | undefined> {
    const commit = (await this.#text(this.#ref(revision)))?.trim();
    return commit !== undefined && /^[0-9a-f]{40}$/.test(commit) ? commit : undefined;
  }

  async keepCommit(revision: string, commit: string): Promise<void> {
    if ((await this.commitOf(revision)) !== commit) await this.#write(this.#ref(revision), commit);
  }

  tree(commit: string): Promise<string | undefined> {
    return this.#text(join(this.folder, 'trees', `${commit}.json`));
  }

  async keepTree(commit: string, text: string): Promise<void> {
    await this.#write(join(this.folder, 'trees', `${commit}.json`), text);
  }

  async filesOf(commit: string): Promise<HubTree> {
    const root = this.snapshot(commit);
    const names = await readdir(root, { recursive: true }).catch(() => [] as string[]);
    const files = await Promise.all(
      names.map(async (name): Promise<[string, HubFile][]> => {
        const path = join(root, name);
        const found = await stat(path).catch(() => undefined);
        if (!found?.isFile()) return [];
        const blob = basename(await realpath(path));
        return [[name.split(sep).join('/'), { size: found.size, hash: HASH.test(blob) ? blob : '' }]];
      }),
    );
    return new Map(files.flat().sort());
  }

  async has(commit: string, path: string, file: HubFile): Promise<boolean> {
    return isFileOf(this.#pointer(commit, path), file.size);
  }

  hash(commit: string, path: string, file: HubFile): Promise<string> {
    return this.#guard(() => hashOf(file, (...of) => hashFile(this.#pointer(commit, path), ...of)));
  }

  async drop(commit: string, path: string, file: HubFile): Promise<void> {
    await this.#guard(async () => {
      for (const each of [this.#pointer(commit, path), this.#blob(file)]) await rm(each, { force: true });
    });
  }

  async keep(
    commit: string,
    path: string,
    file: HubFile,
    fill: (partial: PartialFile) => Promise<void>,
  ): Promise<void> {
    await this.#guard(async () => {
      const blob = this.#blob(file);
      const isThere = await isFileOf(blob, file.size);
      if (!isThere) {
        await mkdir(dirname(blob), { recursive: true });
        const partial = await claimPartial(blob);
        try {
          await fill(partial);
          await partial.complete(blob);
        } catch (error) {
          await partial.release();
          throw error;
        }
      }
      await this.#point(this.#pointer(commit, path), blob, !isThere);
    });
  }

  /** A link to a blob; where there can be none, the file itself. */
  async #point(pointer: string, blob: string, isOurs: boolean): Promise<void> {
    const target = relative(dirname(pointer), blob);
    await mkdir(dirname(pointer), { recursive: true });
    if ((await readlink(pointer).catch(() => undefined)) === target) return;
    // It is beside the pointer first, so that no reader ever finds none.
    const temporary = `${pointer}.${randomUUID().slice(0, 8)}.tmp`;
    try {
      try {
        await this.#link(target, temporary);
      } catch (error) {
        if (!NO_LINKS.includes(String((error as { code?: unknown }).code))) throw error;
        if (isOurs) await rename(blob, temporary);
        else await copyFile(blob, temporary);
      }
      await rename(temporary, pointer);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  #pointer(commit: string, path: string): string {
    return join(this.snapshot(commit), ...path.split('/'));
  }

  #blob({ hash }: HubFile): string {
    return join(this.folder, 'blobs', hash);
  }

  #ref(revision: string): string {
    return join(this.folder, 'refs', ...revision.split('/'));
  }

  async #text(path: string): Promise<string | undefined> {
    return readFile(path, 'utf8').catch(() => undefined);
  }

  async #write(path: string, text: string): Promise<void> {
    await this.#guard(async () => {
      await mkdir(dirname(path), { recursive: true });
      const temporary = `${path}.${randomUUID().slice(0, 8)}.tmp`;
      try {
        await writeFile(temporary, text, { flag: 'wx' });
        await rename(temporary, path);
      } finally {
        await rm(temporary, { force: true });
      }
    });
  }

  /** Errors of the disk in words; others pass. */
  async #guard<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      const { code, syscall } = Object(error) as { code?: unknown; syscall?: unknown };
      if (TransfusionError.isInstance(error) || syscall === undefined) throw error;
      throw new HubError({
        code: 'HUB_CACHE',
        message: `cannot keep files in ${this.folder}: ${reason(error)}`,
        fix: FIXES[String(code)] ?? ELSEWHERE,
        cause: error,
      });
    }
  }
}

const ELSEWHERE = 'keep them elsewhere: HF_HUB_CACHE, or `cacheDir`';
const FIXES: Record<string, string> = {
  ENOSPC: `the disk is full: free some space, and what was fetched goes on where it broke off; or ${ELSEWHERE}`,
  EDQUOT: `the disk quota is used up: free some space; or ${ELSEWHERE}`,
  EACCES: `permission is missing: change it, or ${ELSEWHERE}`,
  EPERM: `permission is missing: change it, or ${ELSEWHERE}`,
  EROFS: `the disk is read-only: ${ELSEWHERE}`,
  ENOTDIR: `a part of the path is a file, not a folder: ${ELSEWHERE}`,
  EEXIST: `a file is in the way: ${ELSEWHERE}`,
};

async function isFileOf(path: string, size: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return (found?.isFile() ?? false) && found?.size === size;
}
