/** @file The model that a run starts from, and what follows from it for the run: its weights, or LoRAs beside them. */
import { TransfusionError } from '@transfusion/core';
import { isParameterSpec, type LoraTargets, type LowRankParameters, loraSpec, withAdapters } from '@transfusion/nn';
import { adapterFiles, type PipelineConfig, type StoredModel, textVocabularySize } from '@transfusion/sampler';
import { isTensor, isVariable, mapTree, type Variable } from '@transfusion/tensor';
import {
  type ModelConfig,
  type ModelVariables,
  type TransfusionParameters,
  transfusionSpec,
} from '@transfusion/transformer';
import type { ModelFiles, NamedTensor } from '../model-files.js';
import type { TracedState } from '../objective.js';
import type { TrainingTask } from '../session.js';
import type { TrainState } from '../train-state.js';
import type { TransfusionTrainingConfig } from './config.js';

/** A model to start from, and what a LoRA's folder says of it. */
export interface BaseModel extends StoredModel {
  /** Its folder or address. */
  name?: string;
  /** See `weightsFingerprint` of @transfusion/checkpoint. */
  fingerprint?: string;
}

/** A LoRA that is trained. */
export interface LoraConfig {
  rank: number;
  /** B A is multiplied with alpha / rank. */
  alpha: number;
  targets: LoraTargets;
}

/** A configuration with what weights are made for: sizes, patches and diffusion are the base's. */
export function configOfBase<Config extends Pick<TransfusionTrainingConfig, 'model' | 'patchSize' | 'diffusion'>>(
  config: Config,
  base: PipelineConfig,
): Config {
  const { vocabularySize: _, patchSize, patchValues: __, ...sizes } = base.model;
  return { ...config, model: { ...config.model, ...sizes }, patchSize, diffusion: base.diffusion };
}

/** @throws TransfusionError CONFIG_LORA, LORA_*: it cannot start from this model */
export function checkBase(base: BaseModel | undefined, lora: LoraConfig | null, vocabularySize: number): void {
  if (!base && lora) {
    throw new TransfusionError({
      code: 'CONFIG_LORA',
      message: 'lora is set, and there is no model to train it on',
      fix: 'give the model to start from',
    });
  }
  if (base?.adapters) {
    throw new TransfusionError({
      code: 'LORA_NO_MODEL',
      message: `${base.name ?? 'the model to start from'} is a LoRA, or a model with one`,
      fix: 'merge them first: trainer merge --model FOLDER --lora FOLDER --out FOLDER',
    });
  }
  if (base && vocabularySize > textVocabularySize(base.config)) {
    throw new TransfusionError({
      code: 'CONFIG_TOKENIZER',
      message: `the tokenizer has ${vocabularySize} ids, the model to start from ${textVocabularySize(base.config)}`,
      fix: "use the model's own tokenizer",
    });
  }
}

/** What a task is given of a base: values to start from, or with a LoRA, weights that stay as they are. */
export function weightsOfBase(base: BaseModel, lora: LoraConfig | null): Pick<TrainingTask, 'given' | 'constants'> {
  const { tensors, config } = base;
  if (!lora) return { given: new Map([...tensors].map(([path, { data }]) => [path, data])) };
  return { constants: mapTree(transfusionSpec(config.model), isParameterSpec, (_, path) => tensors.get(path)!) };
}

/** What is trained of a model. @throws TransfusionError LORA_TARGETS, LORA_RANK */
export function trainedSpec(model: ModelConfig, lora: LoraConfig | null = null): unknown {
  return lora ? loraSpec(transfusionSpec(model), lora) : transfusionSpec(model);
}

/** The model in the graph: what is trained; or the constants, adapted by it. */
export function tracedModel(
  { parameters, constants }: Pick<TracedState, 'parameters' | 'constants'>,
  lora: LoraConfig | null = null,
): TransfusionParameters {
  if (!lora) return parameters as TransfusionParameters;
  const layers = parameters as Record<string, LowRankParameters>;
  return withAdapters(constants as TransfusionParameters, isTensor, [{ layers, scale: scaleOf(lora) }]);
}

/** The model on the backend, with the averages of what is trained. */
export function averagedModel({ ema, constants }: TrainState, lora: LoraConfig | null): ModelVariables {
  if (!lora) return ema as ModelVariables;
  const layers = ema as Record<string, LowRankParameters<Variable>>;
  return withAdapters(constants as ModelVariables, isVariable, [{ layers, scale: scaleOf(lora) }]);
}

function scaleOf({ alpha, rank }: LoraConfig): number {
  return alpha / rank;
}

/** The averaged LoRA, as PEFT has it. */
export async function loraFiles({ ema }: TrainState, lora: LoraConfig, base: BaseModel): Promise<ModelFiles> {
  const layers = new Map<string, LowRankParameters<NamedTensor>>();
  const read = async (variable: Variable) => ({ shape: [...variable.shape], data: await variable.read() });
  for (const [path, { a, b }] of Object.entries(ema as Record<string, LowRankParameters<Variable>>)) {
    layers.set(path, { a: await read(a), b: await read(b) });
  }
  return { ...adapterFiles({ layers, ...lora, base }), isAdapter: true };
}
