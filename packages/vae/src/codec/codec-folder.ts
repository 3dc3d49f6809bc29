/** @file A VAE folder: `config.json` and the weights, under any of the names in use. */
import { TransfusionError } from '@transfusion/core';
import type { AutoencoderConfig } from '../autoencoder/config.js';
import { parseAutoencoderConfig } from '../autoencoder/parse-config.js';
import type { StoredTensor } from '../autoencoder/weights.js';
import type { CodecConfig } from '../codec-config.js';
import { parseJson } from '../json.js';
import { BASES, chooseWeights, commonNames, otherWeights } from './weight-files.js';

/** Folders of diffusers' pipelines that may hold an autoencoder. */
const PIPELINE_FOLDERS = ['vae', 'vqvae', 'movq'];
/** Folders that are looked into for a config.json that is missed. */
const MOST_LOOKED_INTO = 100;

/** Where files come from: `FolderReader` of @transfusion/checkpoint is one, of a disk, a server or memory. */
export interface CodecFolder {
  /** For errors. */
  readonly path: string;
  has(name: string): Promise<boolean>;
  readText(name: string): Promise<string>;
  /** All tensors of a safetensors file as f32, or of the files that an index (`*.json`) names beside itself. */
  readTensors(name: string): Promise<ReadonlyMap<string, StoredTensor>>;
  /**
   * Names of what is in a folder inside this one, or in it (''). Without it, weights are found under common names only,
   * and errors tell less.
   */
  list?(inside: string): Promise<readonly string[]>;
}

/** What `openCodec` takes, apart from a backend. */
export interface StoredCodec {
  config: CodecConfig;
  weights: ReadonlyMap<string, StoredTensor>;
  /** The file of the weights, for errors. */
  where: string;
}

/**
 * Reads a VAE folder; the configuration is checked before the weights are read. Weights are taken in full precision where
 * there are several forms, else f16, bf16 or another variant (see `chooseWeights`); in one file, or in several with their
 * index. Of the folder of a diffusers pipeline (`model_index.json`) its autoencoder is read: `vae`, or `vqvae`, or `movq`.
 *
 * @param inside a folder inside `folder`, such as `vae`; default: `folder` itself
 * @throws TransfusionError CODEC_CONFIG, CODEC_FOLDER; each says what the folder is, where that is known, and which to
 *   give; and what `folder` throws
 */
export async function readCodecFolder(folder: CodecFolder, inside = ''): Promise<StoredCodec> {
  const at = (name: string) => (inside ? `${inside}/${name}` : name);
  const file = (name: string) => `${folder.path}/${at(name)}`;
  if (!(await folder.has(at('config.json')))) {
    const autoencoder = inside ? undefined : await pipelineAutoencoder(folder);
    if (autoencoder) return readCodecFolder(folder, autoencoder);
    throw await noConfig(folder, inside);
  }
  const json = parseJson(await folder.readText(at('config.json')), file('config.json'));
  const config = codecConfigOf(json, file('config.json'));
  const weights = await findWeights(folder, inside);
  if (weights) return { config, weights: await folder.readTensors(at(weights)), where: file(weights) };
  const { is, fix } = otherWeights(await namesIn(folder, inside)) ?? {};
  throw new TransfusionError({
    code: 'CODEC_FOLDER',
    message: `there is no ${BASES.map((base) => file(`${base}.safetensors`)).join(', and no ')}${is ? `; ${is}` : ''}`,
    fix: fix ?? `a VAE folder has config.json and ${BASES[0]}.safetensors or ${BASES[1]}.safetensors: fetch it whole`,
  });
}

/** A codec's configuration from the `config.json` of an autoencoder. @throws TransfusionError CODEC_CONFIG */
export function codecConfigOf(json: unknown, where?: string): CodecConfig {
  return autoencoderCodec(parseAutoencoderConfig(json, where));
}

export function autoencoderCodec(autoencoder: AutoencoderConfig): CodecConfig {
  return autoencoder._class_name === 'VQModel' ? { kind: 'vq', autoencoder } : { kind: 'kl', autoencoder };
}

/** The weights to read: the best of those there are; a folder that cannot be listed is asked for the best ones first. */
async function findWeights(folder: CodecFolder, inside: string): Promise<string | undefined> {
  if (folder.list) return chooseWeights(await folder.list(inside));
  for (const name of commonNames().filter((each) => chooseWeights([each]))) {
    if (await folder.has(inside ? `${inside}/${name}` : name)) return name;
  }
  return undefined;
}

async function namesIn(folder: CodecFolder, inside: string): Promise<readonly string[]> {
  if (folder.list) return folder.list(inside);
  return filterAsync(commonNames(), (name) => folder.has(inside ? `${inside}/${name}` : name));
}

/** The folder of a pipeline's only autoencoder; undefined: it is no pipeline, or has none. */
async function pipelineAutoencoder(folder: CodecFolder): Promise<string | undefined> {
  if (!(await folder.has('model_index.json'))) return undefined;
  const found = await filterAsync(PIPELINE_FOLDERS, (name) => folder.has(`${name}/config.json`));
  if (found.length <= 1) return found[0];
  throw new TransfusionError({
    code: 'CODEC_FOLDER',
    message: `${folder.path} is a pipeline with ${found.length} autoencoders: ${found.join(', ')}`,
    fix: `give one of their folders, such as ${folder.path}/${found[0]}`,
  });
}

async function noConfig(folder: CodecFolder, inside: string): Promise<TransfusionError> {
  const at = (name: string) => (inside ? `${inside}/${name}` : name);
  const names = (await folder.list?.(inside)) ?? [];
  const isVersion = /\.(new|old|tmp)-\d/;
  // Hugging Face's cache has a folder for each version of a model.
  const snapshots = ((await folder.list?.(at('snapshots'))) ?? []).map((name) => `snapshots/${name}`);
  const candidates = [...snapshots, ...names.filter((name) => !isVersion.test(name))].slice(0, MOST_LOOKED_INTO);
  const found = await filterAsync(candidates, (name) => folder.has(at(`${name}/config.json`)));
  const paths = found.map((name) => `${folder.path}/${at(name)}`);
  const weights = names.find((name) => /\.(safetensors|ckpt|pt|pth|bin)$/i.test(name));
  const fixes: [boolean, string][] = [
    [paths.length === 1, `give ${paths[0]}, which has one`],
    [paths.length > 1, `give a folder that has one: ${paths.join(', ')}`],
    [
      weights !== undefined,
      `${weights} alone does not tell its architecture: put the config.json that was published with it beside it, or make both in Python with diffusers' AutoencoderKL.from_single_file(file).save_pretrained(folder)`,
    ],
  ];
  return new TransfusionError({
    code: 'CODEC_FOLDER',
    message: `there is no ${folder.path}/${at('config.json')}`,
    fix: fixes.find(([applies]) => applies)?.[1] ?? 'give the folder of an autoencoder: config.json and its weights',
  });
}

async function filterAsync(names: readonly string[], keep: (name: string) => Promise<boolean>): Promise<string[]> {
  const kept = await Promise.all(names.map(keep));
  return names.filter((_, i) => kept[i]);
}
