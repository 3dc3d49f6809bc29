/** @file Decoded images in one file: a magic number, the key of what was decoded, then the pixels, 8 bits each. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TransfusionError } from '@transfusion/tensor';

const MAGIC = 'transfusion images 1\n';

function header(key: string): Buffer {
  return Buffer.from(`${MAGIC}${key}\n`, 'latin1');
}

/** The cached images, each [height, width, 3]; undefined where the file is missing, damaged or of something else. */
export async function readImageCache(
  path: string,
  key: string,
  shape: { count: number; height: number; width: number },
): Promise<Uint8Array[] | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  const expected = header(key);
  const imageLength = shape.height * shape.width * 3;
  if (bytes === undefined || bytes.length !== expected.length + shape.count * imageLength) return undefined;
  if (!bytes.subarray(0, expected.length).equals(expected)) return undefined;
  return Array.from({ length: shape.count }, (_, i) => {
    const start = expected.length + i * imageLength;
    return new Uint8Array(bytes.subarray(start, start + imageLength));
  });
}

/** Writes the file whole or not at all. */
export async function writeImageCache(path: string, key: string, images: Uint8Array[]): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, Buffer.concat([header(key), ...images]));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new TransfusionError({
      code: 'DATA_CACHE_UNWRITABLE',
      message: `cannot write ${path}: ${error instanceof Error ? error.message : error}`,
      fix: 'give a writable cache folder with enough space',
      cause: error,
    });
  }
}
