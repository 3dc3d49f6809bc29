/** @file A VAE folder: `config.json`, and the weights under either of the names in use. */
import { TransfusionError } from '@transfusion/tensor';
import type { AutoencoderConfig } from '../autoencoder/config.js';
import { parseAutoencoderConfig } from '../autoencoder/parse-config.js';
import type { StoredTensor } from '../autoencoder/weights.js';
import type { CodecConfig } from '../codec-config.js';

/** Published models have the first, models of this project the second. */
const WEIGHT_FILES = ['diffusion_pytorch_model.safetensors', 'model.safetensors'];

/** Where files come from. `FolderReader` of @transfusion/checkpoint/node is one; a page may read with `fetch`. */
export interface CodecFolder {
  /** For errors. */
  readonly path: string;
  has(name: string): Promise<boolean>;
  readText(name: string): Promise<string>;
  /** All tensors of a safetensors file, as f32. */
  readTensors(name: string): Promise<ReadonlyMap<string, StoredTensor>>;
}

/** What `openCodec` takes, apart from a backend. */
export interface StoredCodec {
  config: CodecConfig;
  weights: ReadonlyMap<string, StoredTensor>;
  /** The file of the weights, for errors. */
  where: string;
}

/**
 * Reads a VAE folder; the configuration is checked before the weights are read.
 *
 * @param inside a folder inside `folder`, such as `vae`; default: `folder` itself
 * @throws TransfusionError CODEC_CONFIG, CODEC_FOLDER; and what `folder` throws
 */
export async function readCodecFolder(folder: CodecFolder, inside = ''): Promise<StoredCodec> {
  const at = (name: string) => (inside ? `${inside}/${name}` : name);
  const file = (name: string) => `${folder.path}/${at(name)}`;
  if (!(await folder.has(at('config.json')))) throw missing(file('config.json'));
  const config = codecConfigOf(
    parseJson(await folder.readText(at('config.json')), file('config.json')),
    file('config.json'),
  );
  for (const name of WEIGHT_FILES) {
    if (await folder.has(at(name))) {
      return { config, weights: await folder.readTensors(at(name)), where: file(name) };
    }
  }
  throw missing(WEIGHT_FILES.map(file).join(', and no '));
}

/** A codec's configuration from the `config.json` of an autoencoder. */
export function codecConfigOf(json: unknown, where?: string): CodecConfig {
  return autoencoderCodec(parseAutoencoderConfig(json, where));
}

export function autoencoderCodec(autoencoder: AutoencoderConfig): CodecConfig {
  return autoencoder._class_name === 'VQModel' ? { kind: 'vq', autoencoder } : { kind: 'kl', autoencoder };
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TransfusionError({
      code: 'CODEC_CONFIG',
      message: `${where} is not JSON: ${(error as Error).message}`,
      fix: 'the file is truncated or damaged: copy it again',
      cause: error,
    });
  }
}

function missing(what: string): TransfusionError {
  return new TransfusionError({
    code: 'CODEC_FOLDER',
    message: `there is no ${what}`,
    fix: `a VAE folder has config.json and ${WEIGHT_FILES.join(' or ')}`,
  });
}
