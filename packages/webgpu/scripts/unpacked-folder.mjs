/** @file Folders made from archives of the `@sparticuz/chromium` package: written whole, once for each archive. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

const STAMP = 'archive.sha256';

/** An archive of the package, compressed: `bin/<name>`. */
export function readArchive(name) {
  // The package exports its entry point only, build/cjs/index.cjs.
  const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium');
  return readFileSync(resolve(dirname(entry), '../../bin', name));
}

/** @throws Error where the contents have more than `maxBytes`: no bombs. */
export function decompress(archive, maxBytes) {
  return brotliDecompressSync(archive, { maxOutputLength: maxBytes });
}

/**
 * Makes a folder whole or not at all. Does nothing where it is there already and made from the same archives.
 *
 * @param {object} options
 * @param {string} options.folder created, or replaced as a whole
 * @param {Buffer[]} options.archives what the folder is made from
 * @param {string[]} options.files what it must contain
 * @param {() => Iterable<[name: string, contents: Buffer]>} options.unpack all that it shall contain
 * @returns {'unpacked' | 'present'}
 * @throws Error if a file is not among what was unpacked
 */
export function makeFolder({ folder, archives, files, unpack }) {
  const hash = archives.reduce((digest, archive) => digest.update(archive), createHash('sha256')).digest('hex');
  if (isPresent(folder, hash, files)) return 'present';

  const temporary = `${folder}.${randomUUID()}`;
  mkdirSync(temporary, { recursive: true });
  try {
    const written = [];
    for (const [name, contents] of unpack()) {
      writeFileSync(join(temporary, name), contents, { mode: name.endsWith('.json') ? 0o644 : 0o755 });
      written.push(name);
    }
    const missing = files.find((name) => !written.includes(name));
    if (missing) throw new Error(`the archives of @sparticuz/chromium have no ${missing}, only ${written.join(', ')}`);
    writeFileSync(join(temporary, STAMP), hash);
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    // Another process may have been first.
    if (!isPresent(folder, hash, files)) throw error;
  }
  return 'unpacked';
}

function isPresent(folder, hash, files) {
  const stamp = join(folder, STAMP);
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== hash) return false;
  return files.every((name) => existsSync(join(folder, name)));
}

/**
 * Regular files of a ustar archive by name.
 * @param {Buffer} tar
 * @returns {Map<string, Buffer>}
 * @throws Error on a damaged archive
 */
export function readTar(tar) {
  const entries = new Map();
  let offset = 0;
  while (offset + 512 <= tar.length) {
    const header = tar.subarray(offset, offset + 512);
    if (header.every((byte) => byte === 0)) return entries;
    const text = (from, to) => header.toString('latin1', from, to).replace(/\0.*$/s, '');
    const octal = (from, to) => Number.parseInt(text(from, to).trim(), 8);
    // The checksum counts its own eight bytes as spaces.
    const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
    if (sum !== octal(148, 156)) throw new Error(`tar: damaged header at byte ${offset}`);
    const size = octal(124, 136);
    const begin = offset + 512;
    if (!Number.isInteger(size) || begin + size > tar.length) throw new Error(`tar: truncated at byte ${offset}`);
    const type = String.fromCharCode(header[156]);
    if (type === '0' || type === '\0') entries.set(text(0, 100), tar.subarray(begin, begin + size));
    offset = begin + Math.ceil(size / 512) * 512;
  }
  return entries;
}
