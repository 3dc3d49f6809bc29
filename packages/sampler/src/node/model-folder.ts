/** @file A model folder: `config.json`, `model.safetensors`, `tokenizer.json` as a model that can be sampled from. */
import { join } from 'node:path';
import { CheckpointError } from '@transfusion/checkpoint';
import { loadModelFolder } from '@transfusion/checkpoint/node';
import { createParameters } from '@transfusion/nn';
import { type Backend, flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import { Tokenizer } from '@transfusion/tokenizer';
import { type TransfusionParameters, transfusionSpec } from '@transfusion/transformer';
import { createCodec, type ImageCodec } from '@transfusion/vae';
import { type PipelineConfig, pipelineConfigSchema } from '../config.js';
import { checkTensors, type NamedTensor } from './parameter-tensors.js';

/** A model folder in host memory, checked. */
export interface StoredModel {
  config: PipelineConfig;
  /** By parameter path. */
  tensors: Map<string, NamedTensor>;
  tokenizer: Tokenizer;
}

/** A model on a backend: what `createSampler` takes. */
export interface LoadedModel {
  config: PipelineConfig;
  parameters: TransfusionParameters<Variable>;
  tokenizer: Tokenizer;
  codec: ImageCodec;
  /** Frees the parameters. */
  dispose(): void;
}

/**
 * Reads and checks a model folder.
 *
 * @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT, CHECKPOINT_CONTENT, CONFIG_INVALID; each names the file
 * @throws TokenizerError for a `tokenizer.json` that cannot be used
 */
export async function readModelFolder(path: string): Promise<StoredModel> {
  const { config, tensors, tokenizer: json } = await loadModelFolder({ path, configSchema: pipelineConfigSchema });
  if (json === undefined) {
    throw new CheckpointError({
      code: 'CHECKPOINT_MISSING',
      message: `${path} has no tokenizer.json`,
      fix: 'give the folder of a model that this program wrote, or fetch it whole',
    });
  }
  checkTensors(config.model, tensors, join(path, 'model.safetensors'));
  const tokenizer = new Tokenizer(json, { where: join(path, 'tokenizer.json') });
  if (tokenizer.vocabularySize > config.model.vocabularySize) {
    throw new CheckpointError({
      code: 'CHECKPOINT_CONTENT',
      message: `${join(path, 'tokenizer.json')} has ${tokenizer.vocabularySize} ids, config.json a vocabulary of ${config.model.vocabularySize}`,
      fix: 'config.json and tokenizer.json are of different models: fetch the folder again, whole',
    });
  }
  return { config, tensors, tokenizer };
}

/**
 * Puts a model on a backend; pass the result on to `createSampler`.
 *
 * @throws OutOfMemoryError
 */
export function loadModel({ config, tensors, tokenizer }: StoredModel, backend: Backend): LoadedModel {
  const values = new Map([...tensors].map(([name, { data }]) => [name, data]));
  const parameters = createParameters(backend, transfusionSpec(config.model), values);
  return {
    config,
    parameters,
    tokenizer,
    codec: createCodec(config.codec),
    dispose() {
      for (const variable of flattenTree<Variable>(parameters, isVariable).values()) variable.destroy();
    },
  };
}

/**
 * `readModelFolder` and `loadModel`.
 *
 * @throws as these
 */
export async function openModelFolder(path: string, backend: Backend): Promise<LoadedModel> {
  return loadModel(await readModelFolder(path), backend);
}
