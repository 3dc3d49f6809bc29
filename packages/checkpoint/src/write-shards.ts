/** @file Weights as files: one, or several with an index where they are large, as Hugging Face's libraries write them. */
import { CheckpointError } from './errors.js';
import { indexFile, shardFile, singleFile } from './shard-names.js';
import { checkTensors, encodeSafetensors, type WritableTensor } from './write-safetensors.js';

/**
 * Bytes of the tensors of one file, at most; a tensor of more has one to itself. Browsers hold this much at once, caches
 * keep it, and a download that breaks off loses no more.
 */
export const MAX_SHARD_BYTES = 256_000_000;

/** The pieces of a file, as they are made, or its text. */
export type WeightFile = string | Iterable<Uint8Array>;

/**
 * The files of a model's weights, by name: `model.safetensors`; or, of more than `maxShardBytes`,
 * `model-00001-of-00003.safetensors` and so on with `model.safetensors.index.json`, which has the tensors' bytes in all
 * (`metadata.total_size`) and the file of each (`weight_map`). Pieces are made when they are asked for.
 *
 * @param base `model`, `diffusion_pytorch_model`, ...
 * @throws CheckpointError as `encodeSafetensors`, of any of the tensors
 */
export function encodeWeights(
  base: string,
  tensors: Map<string, WritableTensor>,
  { maxShardBytes = MAX_SHARD_BYTES }: { maxShardBytes?: number } = {},
): Map<string, WeightFile> {
  if (!(maxShardBytes >= 1)) {
    throw new CheckpointError({
      code: 'CHECKPOINT_ARGUMENT',
      message: `maxShardBytes is ${maxShardBytes}, expected a number of bytes from 1`,
      fix: `leave it out for ${MAX_SHARD_BYTES}, or give Infinity for one file`,
    });
  }
  const sizes = checkTensors(tensors);
  const shards = splitNames(sizes, maxShardBytes);
  if (shards.length <= 1) return new Map([[singleFile(base), encodeSafetensors(tensors)]]);
  const files = new Map<string, WeightFile>();
  const weightMap: [string, string][] = [];
  for (const [i, names] of shards.entries()) {
    const file = shardFile(base, i + 1, shards.length);
    files.set(file, encodeSafetensors(new Map(names.map((name) => [name, tensors.get(name)!]))));
    for (const name of names) weightMap.push([name, file]);
  }
  const total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  const index = { metadata: { total_size: total }, weight_map: Object.fromEntries(weightMap.sort()) };
  return files.set(indexFile(base), `${JSON.stringify(index, null, 2)}\n`);
}

/** Names in their order, as many together as fit: what huggingface_hub does (`split_state_dict_into_shards_factory`). */
function splitNames(sizes: ReadonlyMap<string, number>, most: number): string[][] {
  const shards: string[][] = [];
  let current: string[] = [];
  let bytes = 0;
  for (const [name, size] of sizes) {
    if (size > most) {
      shards.push([name]);
      continue;
    }
    if (bytes + size > most) {
      shards.push(current);
      current = [];
      bytes = 0;
    }
    current.push(name);
    bytes += size;
  }
  return current.length > 0 ? [...shards, current] : shards;
}
