/**
 * @file Unpacks the headless Chromium of the `@sparticuz/chromium` package, for testing pages (Linux on x64).
 * `node unpack-chromium.mjs [folder]`; the folder defaults to `.cache/chromium` at the repository's root. Start
 * `<folder>/chromium` with LD_LIBRARY_PATH on the folder. Does nothing where the folder is there already and made from
 * the same archives.
 */
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decompress, makeFolder, readArchive, readTar } from './unpacked-folder.mjs';

/** The browser; the libraries it links that a bare system lacks; the adapter it looks for beside itself. */
const FILES = ['chromium', 'libnss3.so', 'libnspr4.so', 'libexpat.so.1', 'libvulkan.so.1', 'libvk_swiftshader.so'];
/** Larger than any archive this package has shipped (197 MB). */
const MAX_UNPACKED_BYTES = 512 * 2 ** 20;

/**
 * @param {string} folder created or replaced as a whole
 * @returns {'unpacked' | 'present'}
 */
export function unpackChromium(folder) {
  const browser = readArchive('chromium.br');
  const libraries = ['swiftshader.tar.br', 'al2023.tar.br'].map(readArchive);
  return makeFolder({
    folder,
    archives: [browser, ...libraries],
    files: FILES,
    *unpack() {
      yield ['chromium', decompress(browser, MAX_UNPACKED_BYTES)];
      for (const archive of libraries) {
        for (const [path, contents] of readTar(decompress(archive, MAX_UNPACKED_BYTES))) {
          yield [basename(path), contents];
        }
      }
    },
  });
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
  const folder = resolve(process.argv[2] ?? join(root, '.cache/chromium'));
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    console.log(`Chromium is packed for Linux on x64 only; this is ${process.platform} on ${process.arch}`);
  } else {
    console.log(`Chromium ${unpackChromium(folder)}: ${folder}`);
  }
}
