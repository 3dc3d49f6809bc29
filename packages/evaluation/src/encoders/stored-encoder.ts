/** @file A network's folder: `config.json`, `model.safetensors`, and of a dual encoder `tokenizer.json`. */
import { CheckpointError, type FileSource, FolderReader } from '@transfusion/checkpoint';
import { describeKind, parseConfig, TransfusionError } from '@transfusion/core';
import { checkFinite, checkTensorShapes, type NamedTensor } from '@transfusion/sampler';
import { Tokenizer } from '@transfusion/tokenizer';
import { z } from 'zod';
import { type EncoderConfig, encoderConfigSchema } from './config.js';
import { encoderSpec } from './networks.js';

/** A network in host memory, checked. */
export interface StoredEncoder<Config extends EncoderConfig = EncoderConfig> {
  config: Config;
  /** By path of the parameter. */
  tensors: ReadonlyMap<string, NamedTensor>;
  /** Of a dual encoder. */
  tokenizer?: Tokenizer;
}

/**
 * Reads and checks a folder, wherever it is; the configuration is checked before weights are read.
 *
 * @throws TransfusionError ENCODER_FOLDER: it is another kind of model's; CONFIG_INVALID; TokenizerError; CheckpointError
 *   CHECKPOINT_MISSING, CHECKPOINT_FORMAT, CHECKPOINT_CONTENT, CHECKPOINT_READ_FAILED; each names the file
 */
export async function readEncoder(source: FileSource): Promise<StoredEncoder> {
  return readEncoderFiles(new FolderReader(source));
}

/** `readEncoder` for a folder that is open. @throws as that */
export async function readEncoderFiles(folder: FolderReader): Promise<StoredEncoder> {
  const config = await readEncoderConfig(folder);
  const tokenizer = config.model_type === 'dual-encoder' ? await readTokenizer(folder, config) : undefined;
  const weights = await folder.openTensors('model.safetensors');
  checkTensorShapes(encoderSpec(config), weights.tensors, weights.path);
  const tensors = await weights.readAll();
  checkFinite(tensors, weights.path);
  return { config, tensors, tokenizer };
}

/** @throws as `readEncoder` */
export async function readEncoderConfig(folder: FolderReader): Promise<EncoderConfig> {
  const where = `${folder.path}/config.json`;
  const json = await folder.readJson('config.json', z.unknown());
  const { model_type: kind, _class_name: diffusers } = (json ?? {}) as Record<string, unknown>;
  if (kind === 'dual-encoder' || kind === 'image-classifier') return parseConfig(encoderConfigSchema, json, where);
  const named = (value: unknown) => (typeof value === 'string' ? JSON.stringify(value) : describeKind(value));
  const is = diffusers === undefined ? `model_type is ${named(kind)}` : `it is that of ${named(diffusers)}`;
  throw new TransfusionError({
    code: 'ENCODER_FOLDER',
    message: `${where}: ${is}, expected "dual-encoder" or "image-classifier"`,
    fix: 'give the folder of a network that `trainer evaluator` trained, such as runs/emoji-64-encoder/model',
  });
}

async function readTokenizer(
  folder: FolderReader,
  { text }: Extract<EncoderConfig, { model_type: 'dual-encoder' }>,
): Promise<Tokenizer> {
  const where = `${folder.path}/tokenizer.json`;
  const tokenizer = new Tokenizer(await folder.readJson('tokenizer.json', z.unknown()), { where });
  if (tokenizer.vocabularySize <= text.vocabularySize) return tokenizer;
  throw new CheckpointError({
    code: 'CHECKPOINT_CONTENT',
    message: `${where} has ${tokenizer.vocabularySize} ids, config.json a vocabulary of ${text.vocabularySize}`,
    fix: 'config.json and tokenizer.json are of different models: fetch the folder again, whole',
  });
}
