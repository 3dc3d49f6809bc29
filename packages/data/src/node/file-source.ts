/** @file A file of the disk as a source of bytes. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { TransfusionError } from '@transfusion/core';
import { type ByteSource, checkRange } from '../stream/byte-source.js';
import { readInput } from './read-input.js';

/**
 * It is opened for every read: shards may be more than files that may be open.
 * @throws TransfusionError DATA_UNREADABLE; `read`: DATA_SOURCE_CHANGED, DATA_SOURCE_RANGE
 */
export async function openFileSource(path: string): Promise<ByteSource> {
  const found = await readInput('shard', path, () => stat(path));
  if (!found.isFile()) {
    throw new TransfusionError({
      code: 'DATA_UNREADABLE',
      message: `shard ${path}: it is ${found.isDirectory() ? 'a folder' : 'no file'}`,
      fix: 'give the shards in it, or the folder by itself',
    });
  }
  const source = { name: path, size: found.size, version: `${found.mtimeMs}` };
  return {
    ...source,
    async read(begin, end) {
      checkRange(source, begin, end);
      return readInput('shard', path, async () => {
        const file = await open(path, 'r');
        try {
          return await readBytes(file, path, begin, end);
        } finally {
          await file.close();
        }
      });
    },
  };
}

async function readBytes(file: FileHandle, path: string, begin: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - begin);
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, begin + at);
    if (bytesRead === 0) {
      throw new TransfusionError({
        code: 'DATA_SOURCE_CHANGED',
        message: `${path}: it ended at byte ${begin + at} while it was read`,
        fix: 'start again once nobody writes it',
      });
    }
    at += bytesRead;
  }
  return bytes;
}
