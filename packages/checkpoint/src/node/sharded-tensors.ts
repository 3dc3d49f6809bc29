/** @file Weights in several safetensors files, by their index. */
import { dirname, join } from 'node:path';
import { CheckpointError } from '../errors.js';
import { missingTensor, type Tensors } from '../read-safetensors.js';
import { parseShardIndex } from '../shard-index.js';
import { parseJson } from '../text.js';

/** Where the files are: a `FolderReader`. */
interface Folder {
  readonly path: string;
  has(name: string): Promise<boolean>;
  readText(name: string): Promise<string>;
  readTensors(name: string, tensorNames: Iterable<string>): Promise<Tensors>;
}

/**
 * Reads the tensors that an index names, or some of them, each from the file it is said to be in.
 *
 * @throws CheckpointError CHECKPOINT_FORMAT: no index; CHECKPOINT_MISSING: files are missing, all of them named;
 *   CHECKPOINT_CONTENT: a file has not the tensor that the index puts there
 */
export async function readShards(folder: Folder, index: string, names?: Iterable<string>): Promise<Tensors> {
  const where = join(folder.path, index);
  const shards = parseShardIndex(parseJson(await folder.readText(index), where), where);
  const beside = (file: string) => join(dirname(index), file);
  const missing: string[] = [];
  for (const file of shards.keys()) if (!(await folder.has(beside(file)))) missing.push(file);
  if (missing.length > 0) {
    throw new CheckpointError({
      code: 'CHECKPOINT_MISSING',
      message: `${where} names ${shards.size} files of weights, missing: ${missing.join(', ')}`,
      fix: 'fetch them into the same folder',
    });
  }
  const fileOf = new Map([...shards].flatMap(([file, tensors]) => tensors.map((name) => [name, file] as const)));
  const wanted = names ? [...names] : [...fileOf.keys()];
  const unknown = wanted.find((name) => !fileOf.has(name));
  if (unknown !== undefined) throw missingTensor(unknown, [...fileOf.keys()], where);
  const tensors: Tensors = new Map();
  for (const file of shards.keys()) {
    const ofFile = wanted.filter((name) => fileOf.get(name) === file);
    if (ofFile.length === 0) continue;
    for (const [name, tensor] of await folder.readTensors(beside(file), ofFile)) tensors.set(name, tensor);
  }
  return tensors;
}
