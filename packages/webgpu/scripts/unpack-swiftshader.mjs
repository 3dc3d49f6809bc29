/**
 * @file Unpacks SwiftShader, a Vulkan driver on the CPU, out of the `@sparticuz/chromium` package, for testing WGSL where
 * there is no GPU (Linux on x64). `node unpack-swiftshader.mjs [folder]`; the folder defaults to `.cache/swiftshader` at
 * the repository's root. Does nothing where the folder is there already and made from the same archive.
 */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decompress, makeFolder, readArchive, readTar } from './unpacked-folder.mjs';

/** The files an adapter needs: Khronos' loader, the driver, and the manifest by which the loader finds it. */
const FILES = ['libvulkan.so.1', 'libvk_swiftshader.so', 'vk_swiftshader_icd.json'];
/** Larger than any archive this package has shipped (15 MB). */
const MAX_UNPACKED_BYTES = 128 * 2 ** 20;

/**
 * @param {string} folder created or replaced as a whole
 * @returns {'unpacked' | 'present'}
 */
export function unpackSwiftShader(folder) {
  const archive = readArchive('swiftshader.tar.br');
  return makeFolder({
    folder,
    archives: [archive],
    files: FILES,
    unpack: () => [...readTar(decompress(archive, MAX_UNPACKED_BYTES))].filter(([name]) => FILES.includes(name)),
  });
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
