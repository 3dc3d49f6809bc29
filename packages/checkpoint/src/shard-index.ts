/** @file The index of weights in several files (`model.safetensors.index.json`), as transformers and diffusers write it. */
import { z } from 'zod';
import { CheckpointError } from './errors.js';

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

/**
 * The tensors that an index expects in each of its files. Files are names, not paths: none leaves the folder.
 *
 * @param json the parsed index
 * @param where names it in errors
 * @throws CheckpointError CHECKPOINT_FORMAT
 */
export function parseShardIndex(json: unknown, where: string): Map<string, string[]> {
  const parsed = indexSchema.safeParse(json);
  if (!parsed.success) {
    throw indexError(where, 'has no weight_map from names of tensors to names of files');
  }
  const shards = new Map<string, string[]>();
  for (const [tensor, file] of Object.entries(parsed.data.weight_map)) {
    if (!/^[^/\\:\0]+\.safetensors$/.test(file)) {
      throw indexError(
        where,
        `weight_map puts ${JSON.stringify(tensor)} into ${JSON.stringify(file)}, expected the name of a .safetensors file beside the index`,
      );
    }
    const names = shards.get(file);
    if (names) names.push(tensor);
    else shards.set(file, [tensor]);
  }
  return shards;
}

function indexError(where: string, message: string): CheckpointError {
  return new CheckpointError({
    code: 'CHECKPOINT_FORMAT',
    message: `${where}: ${message}`,
    fix: 'save the model again: transformers and diffusers write its index beside its weights',
  });
}
