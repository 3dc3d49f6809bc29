/** @file One version of a folder, also while a writer replaces it. */
import { FolderReader } from '../folder-reader.js';
import { FolderSource } from './folder-source.js';
import { readConsistently } from './folder-versions.js';

/**
 * Opens the folder at `path`, or what a crash left of it (see `locateFolder`), and calls `read`; again if a writer
 * replaced the folder meanwhile, so that everything one call reads is of one version. What `read` throws is passed on if
 * it is an error of this project, else wrapped (CHECKPOINT_READ_FAILED).
 */
export async function openCheckpoint<T>(path: string, read: (folder: FolderReader) => Promise<T>): Promise<T> {
  return readConsistently(path, async (folder) => {
    const source = new FolderSource(folder, path);
    try {
      return await read(new FolderReader(source));
    } finally {
      await source.close();
    }
  });
}
