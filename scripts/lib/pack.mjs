/** @file The tarballs that would be published. */
import { join } from 'node:path';
import { runNpm } from './processes.mjs';
import { publishedPackages } from './repository.mjs';

/**
 * Packs every published package, as built, into a folder.
 *
 * @returns {Promise<{ name: string, folder: string, manifest: Record<string, any>, tarball: string, packed: Record<string, any> }[]>}
 *   `packed`: what npm tells of the tarball, such as its `size`, `unpackedSize` and `files`
 */
export async function packAll(destination) {
  const packages = publishedPackages();
  const chosen = packages.map(({ folder }) => `--workspace=${folder}`);
  const packed = JSON.parse(await runNpm(['pack', '--json', `--pack-destination=${destination}`, ...chosen]));
  // npm prints a list, or from version 11.11 on a record by package name.
  const byName = new Map(Object.values(packed).map((entry) => [entry.name, entry]));
  return packages.map(({ folder, manifest }) => ({
    name: manifest.name,
    folder,
    manifest,
    tarball: join(destination, byName.get(manifest.name).filename),
    packed: byName.get(manifest.name),
  }));
}
