/**
 * @file Unpacks SwiftShader, a Vulkan driver on the CPU, out of the `@sparticuz/chromium` package, for testing WGSL where
 * there is no GPU (Linux on x64). `node unpack-swiftshader.mjs [folder]`; the folder defaults to `.cache/swiftshader` at
 * the repository's root. Does nothing where the folder is there already and made from the same archive.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';

/** The files an adapter needs: Khronos' loader, the driver, and the manifest by which the loader finds it. */
const FILES = ['libvulkan.so.1', 'libvk_swiftshader.so', 'vk_swiftshader_icd.json'];
const STAMP = 'archive.sha256';
/** Larger than any archive this package has shipped (15 MB), small enough to refuse a bomb. */
const MAX_UNPACKED_BYTES = 128 * 2 ** 20;

/**
 * @param {string} folder created or replaced as a whole
 * @returns {'unpacked' | 'present'}
 */
export function unpackSwiftShader(folder) {
  // The package exports its entry point only, build/cjs/index.cjs.
  const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium');
  const archive = readFileSync(resolve(dirname(entry), '../../bin/swiftshader.tar.br'));
  const hash = createHash('sha256').update(archive).digest('hex');
  if (isPresent(folder, hash)) return 'present';

  const tar = brotliDecompressSync(archive, { maxOutputLength: MAX_UNPACKED_BYTES });
  const entries = readTar(tar);
  const temporary = `${folder}.${randomUUID()}`;
  mkdirSync(temporary, { recursive: true });
  try {
    for (const name of FILES) {
      const contents = entries.get(name);
      if (!contents) throw new Error(`swiftshader.tar.br: has no ${name}, only ${[...entries.keys()].join(', ')}`);
      writeFileSync(join(temporary, name), contents, { mode: name.endsWith('.json') ? 0o644 : 0o755 });
    }
    writeFileSync(join(temporary, STAMP), hash);
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    // Another process may have been first.
    if (!isPresent(folder, hash)) throw error;
  }
  return 'unpacked';
}

function isPresent(folder, hash) {
  const stamp = join(folder, STAMP);
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== hash) return false;
  return FILES.every((name) => existsSync(join(folder, name)));
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

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
  const folder = resolve(process.argv[2] ?? join(root, '.cache/swiftshader'));
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    console.log(`SwiftShader is packed for Linux on x64 only; this is ${process.platform} on ${process.arch}`);
  } else {
    console.log(`SwiftShader ${unpackSwiftShader(folder)}: ${folder}`);
  }
}
