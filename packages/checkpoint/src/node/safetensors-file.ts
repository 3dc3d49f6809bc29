/** @file Tensors of a safetensors file on disk, without reading the others. */
import type { Tensors } from '../read-safetensors.js';
import { readFileHeader, SafetensorsReader } from '../safetensors-reader.js';
import { openFile } from './open-file.js';

/** An open safetensors file: its header is checked, tensors are read when asked for. Close it after use. */
export class SafetensorsFile extends SafetensorsReader {
  /**
   * @param where names the file in errors; default: `path`
   * @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT, CHECKPOINT_READ_FAILED
   */
  static async open(path: string, where = path): Promise<SafetensorsFile> {
    const file = await openFile(path, where);
    try {
      return new SafetensorsFile(file, await readFileHeader(file));
    } catch (error) {
      await file.close();
      throw error;
    }
  }
}

/**
 * Reads the named tensors of a file (default: all) as f32.
 *
 * @param where names the file in errors; default: `path`
 * @throws as `SafetensorsFile.open` and `read`
 */
export async function readSafetensorsFile(path: string, names?: Iterable<string>, where?: string): Promise<Tensors> {
  const file = await SafetensorsFile.open(path, where);
  try {
    return await file.readAll(names);
  } finally {
    await file.close();
  }
}
