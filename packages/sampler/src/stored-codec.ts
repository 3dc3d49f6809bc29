/** @file The autoencoder of a model folder: `vae/`. */
import { CheckpointError, type FolderReader } from '@transfusion/checkpoint';
import {
  type AutoencoderConfig,
  type CodecConfig,
  codecConfigOf,
  importWeights,
  readCodecFolder,
  type StoredCodec,
} from '@transfusion/vae';
import { z } from 'zod';

const FOLDER = 'vae';

/**
 * Reads the autoencoder that a model's configuration names, and checks its weights; nothing for pixels. Its `config.json`
 * is compared before any weights are read.
 *
 * @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT; CHECKPOINT_CONTENT: `vae/config.json` differs
 * @throws TransfusionError CODEC_CONFIG, CODEC_FOLDER, CODEC_WEIGHTS
 */
export async function readStoredCodec(folder: FolderReader, codec: CodecConfig): Promise<StoredCodec | undefined> {
  if (codec.kind === 'pixels') return undefined;
  const config = `${FOLDER}/config.json`;
  const where = `${folder.path}/${config}`;
  const found = codecConfigOf(await folder.readJson(config, z.unknown()), where);
  if (found.kind !== 'pixels') checkConfig(codec.autoencoder, found.autoencoder, where);
  const stored = await readCodecFolder(folder, FOLDER);
  // For its errors only: a codec imports the weights itself when it is opened on a backend.
  importWeights({ config: codec.autoencoder, tensors: stored.weights, where: stored.where });
  return stored;
}

/** Every field but diffusers' notes, which change nothing: who wrote the file, and where it came from. */
function checkConfig(expected: AutoencoderConfig, found: AutoencoderConfig, where: string): void {
  const [ours, theirs] = [fields(expected), fields(found)];
  for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
    const [wanted, given] = [ours.get(name) ?? 'missing', theirs.get(name) ?? 'missing'];
    if (wanted === given) continue;
    throw new CheckpointError({
      code: 'CHECKPOINT_CONTENT',
      message: `${where}: ${name} is ${given}, codec.autoencoder.${name} of the model's config.json is ${wanted}`,
      fix: 'the model was trained on the latents of another autoencoder: put that one into vae/, or fetch the folder again',
    });
  }
}

/** Values as JSON, by name. */
function fields(config: AutoencoderConfig): Map<string, string> {
  const entries = Object.entries(config).filter(([name]) => name === '_class_name' || !name.startsWith('_'));
  return new Map(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, JSON.stringify(value)]])));
}
