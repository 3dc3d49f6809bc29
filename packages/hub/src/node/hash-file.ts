/** @file Hashes of files of the disk. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { HashAlgorithm } from '../download.js';

/** Of `prefix` and a file, in hexadecimal. */
export async function hashFile(path: string, algorithm: HashAlgorithm, prefix: Uint8Array): Promise<string> {
  const hash = createHash(algorithm.replace('-', '').toLowerCase());
  hash.update(prefix);
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
}
