/** @file `SHA256SUMS` of a folder of the disk. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { formatSums, type Sha256Sums, SUMS_FILE } from '../sha256-sums.js';
import { writeOutputFile } from './output-file.js';

/**
 * Hashes every file of a folder, those of folders inside too, and writes them beside them, for `verify` and `sha256sum -c`.
 *
 * @param isMeant which of them; default: all
 * @throws TransfusionError OUTPUT_UNWRITABLE
 */
export async function writeSums(folder: string, isMeant: (name: string) => boolean = () => true): Promise<Sha256Sums> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const sums: Record<string, string> = {};
  for (const path of paths.sort()) {
    const name = relative(folder, path).split(sep).join('/');
    if (name !== SUMS_FILE && isMeant(name)) sums[name] = await hashOf(path);
  }
  await writeOutputFile(join(folder, SUMS_FILE), formatSums(sums));
  return sums;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
}
