/** @file Hashes of a folder's files, as `sha256sum` writes them, and files that are read only if they have these. */
import { CheckpointError } from './errors.js';
import { isFileName } from './file-names.js';
import { allocateBytes, type FileSource } from './file-source.js';
import { MemorySource } from './memory-source.js';
import { decodeText } from './text.js';

/** The name that `sha256sum -c` is told by convention. */
export const SUMS_FILE = 'SHA256SUMS';

/** SHA-256 of files in hexadecimal, by name. */
export type Sha256Sums = Readonly<Record<string, string>>;

/** The text of a sums file: a line for each file, by name. */
export function formatSums(sums: Sha256Sums): string {
  return Object.keys(sums)
    .sort()
    .map((name) => `${sums[name]}  ${name}\n`)
    .join('');
}

/** @param where names the file in errors @throws CheckpointError CHECKPOINT_FORMAT */
export function parseSums(text: string, where: string): Sha256Sums {
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  const entries = lines.map((line, i): [string, string] => {
    const [, hash, name] = /^([\da-f]{64}) [ *](.+)$/i.exec(line) ?? [];
    if (hash !== undefined && isFileName(name)) return [name, hash.toLowerCase()];
    throw new CheckpointError({
      code: 'CHECKPOINT_FORMAT',
      message: `${where}: line ${i + 1} is ${JSON.stringify(line.slice(0, 80))}, expected 64 hexadecimal digits, two spaces and a file's name`,
      fix: 'write it anew with sha256sum, or fetch the folder again',
    });
  });
  return Object.fromEntries(entries);
}

/** SHA-256 in hexadecimal. */
async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const { subtle } = globalThis.crypto ?? {};
  if (!subtle) {
    throw new CheckpointError({
      code: 'CHECKPOINT_READ_FAILED',
      message: 'this page has no crypto.subtle, with which files are checked',
      fix: 'serve the page by https:// or from localhost, or open the model without `verify`',
    });
  }
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * The files that `sums` names, read whole and checked: what is read of the result is what was checked. Files that it does not
 * name are not there.
 *
 * @param sums default: those of the source's own SHA256SUMS, which tell damage, but not a folder that somebody made anew
 * @throws CheckpointError CHECKPOINT_FORMAT: a file has another hash; CHECKPOINT_MISSING: one of the files, or SHA256SUMS; as
 *   the source throws
 */
export async function verifiedSource(source: FileSource, sums?: Sha256Sums): Promise<MemorySource> {
  const files = new Map<string, Uint8Array>();
  for (const [name, expected] of Object.entries(sums ?? (await readSums(source)))) {
    const bytes = await readWhole(source, name);
    const found = await sha256Of(bytes);
    if (found !== expected.toLowerCase()) throw otherHash(`${source.name}/${name}`, found, expected);
    files.set(name, bytes);
  }
  return new MemorySource(files, source.name);
}

async function readSums(source: FileSource): Promise<Sha256Sums> {
  const where = `${source.name}/${SUMS_FILE}`;
  if (await source.has(SUMS_FILE)) return parseSums(decodeText(await readWhole(source, SUMS_FILE), where), where);
  throw new CheckpointError({
    code: 'CHECKPOINT_MISSING',
    message: `${source.name} has no ${SUMS_FILE}, by which its files could be checked`,
    fix: 'open it without `verify`, or give `verify` the hashes by name',
  });
}

async function readWhole(source: FileSource, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = allocateBytes(await source.size(name), `${source.name}/${name}`);
  await source.read(name, 0, bytes);
  return bytes;
}

function otherHash(where: string, found: string, expected: string): CheckpointError {
  return new CheckpointError({
    code: 'CHECKPOINT_FORMAT',
    message: `${where} is not the file that was published: its SHA-256 is ${found}, expected ${expected.toLowerCase()}`,
    fix: 'it is damaged, or another: fetch it again; if it was changed on purpose, open it without `verify`',
  });
}
