/** @file Weights in several safetensors files, by their index. */
import { CheckpointError } from './errors.js';
import type { FileSource } from './file-source.js';
import { missingTensor, type Tensors } from './read-safetensors.js';
import type { TensorEntry } from './safetensors-header.js';
import { openSafetensors, type SafetensorsReader, type StoredTensors } from './safetensors-reader.js';

/**
 * Opens the files that an index names: reads and checks their headers, and that each has what the index puts there.
 *
 * @param index its name; its files are beside it
 * @param shards the tensors of each file: see `parseShardIndex`
 * @throws CheckpointError CHECKPOINT_MISSING: files are missing, all of them named; CHECKPOINT_CONTENT: a file has not the
 *   tensor that the index puts there, or two have the same; CHECKPOINT_FORMAT
 */
export async function openShards(
  source: FileSource,
  index: string,
  shards: ReadonlyMap<string, readonly string[]>,
): Promise<StoredTensors> {
  const path = `${source.name}/${index}`;
  const beside = (file: string) => index.slice(0, index.lastIndexOf('/') + 1) + file;
  const missing: string[] = [];
  for (const file of shards.keys()) if (!(await source.has(beside(file)))) missing.push(file);
  if (missing.length > 0) {
    throw new CheckpointError({
      code: 'CHECKPOINT_MISSING',
      message: `${path} names ${shards.size} files of weights, missing: ${missing.join(', ')}`,
      fix: 'fetch them into the same folder',
    });
  }
  const tensors = new Map<string, TensorEntry>();
  const fileOf = new Map<string, SafetensorsReader>();
  const holders = new Map<string, string>();
  for (const [file, names] of shards) {
    const reader = await openSafetensors(source, beside(file));
    for (const name of reader.tensors.keys()) {
      const other = holders.get(name);
      if (other !== undefined) throw doubled(path, name, other, file);
      holders.set(name, file);
    }
    for (const name of names) {
      const entry = reader.tensors.get(name);
      if (entry === undefined) throw missingTensor(name, [...reader.tensors.keys()], reader.path);
      tensors.set(name, entry);
      fileOf.set(name, reader);
    }
  }
  return { path, tensors, readAll: (names) => readShards(path, fileOf, names) };
}

async function readShards(
  path: string,
  fileOf: ReadonlyMap<string, SafetensorsReader>,
  names: Iterable<string> = fileOf.keys(),
): Promise<Tensors> {
  const namesOf = new Map<SafetensorsReader, string[]>();
  for (const name of names) {
    const file = fileOf.get(name);
    if (file === undefined) throw missingTensor(name, [...fileOf.keys()], path);
    const some = namesOf.get(file);
    if (some) some.push(name);
    else namesOf.set(file, [name]);
  }
  const tensors: Tensors = new Map();
  for (const [file, some] of namesOf) {
    for (const [name, tensor] of await file.readAll(some)) tensors.set(name, tensor);
  }
  return tensors;
}

function doubled(path: string, name: string, ...files: [string, string]): CheckpointError {
  return new CheckpointError({
    code: 'CHECKPOINT_CONTENT',
    message: `${path}: ${files.join(' and ')} both have a tensor ${JSON.stringify(name)}`,
    fix: 'the files are of different models, or of two versions: fetch all of them again',
  });
}
