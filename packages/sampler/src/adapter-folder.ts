/** @file Reads a LoRA's folder for a model, and adds it to the model's weights. */
import { CheckpointError, type FolderReader, weightsFingerprint } from '@transfusion/checkpoint';
import { nearestName, TransfusionError } from '@transfusion/core';
import {
  checkRank,
  type LayerSize,
  type LowRankParameters,
  layerOf,
  linearLayers,
  mergedWeight,
  targetedLayers,
} from '@transfusion/nn';
import { type ModelConfig, transfusionSpec } from '@transfusion/transformer';
import {
  ADAPTER_CONFIG,
  ADAPTER_WEIGHTS,
  type AdapterConfig,
  adapterConfigSchema,
  parseTensorName,
} from './adapter-format.js';
import { checkFinite, type NamedTensor } from './parameter-tensors.js';

/** A LoRA in host memory, checked. */
export interface StoredAdapter {
  /** Its folder, for errors. */
  where: string;
  config: AdapterConfig;
  /** By the layer's path. */
  layers: Map<string, LowRankParameters<NamedTensor>>;
  /** How much of it is used: B A is multiplied with lora_alpha / r and with this. */
  strength: number;
}

/** What a LoRA is for. */
export interface AdaptedModel {
  config: { model: ModelConfig };
  tensors: ReadonlyMap<string, NamedTensor>;
}

export interface ReadAdapterOptions {
  /** How much of it is used; default 1. */
  strength?: number;
  /** Whether it must be of this very model, where it says of which one it is. Default true. */
  checkBase?: boolean;
}

/** Whether a folder is a LoRA's. */
export function isAdapterFolder(folder: FolderReader): Promise<boolean> {
  return folder.has(ADAPTER_CONFIG);
}

/** @throws CheckpointError, TransfusionError CONFIG_INVALID; LORA_WHOLE_MODEL: it is no LoRA's folder but a model's */
export async function readAdapterConfig(folder: FolderReader): Promise<AdapterConfig> {
  if (!(await isAdapterFolder(folder)) && (await folder.has('config.json'))) {
    throw new TransfusionError({
      code: 'LORA_WHOLE_MODEL',
      message: `${folder.path} is a whole model, not a LoRA (it has config.json, and no ${ADAPTER_CONFIG})`,
      fix: 'give the folder of a LoRA, such as the `model` of a run with lora.rank; a model is given as the model',
    });
  }
  return folder.readJson(ADAPTER_CONFIG, adapterConfigSchema);
}

/**
 * Reads a LoRA in PEFT's form for a model. Layers, shapes and ranks are checked before weights are read.
 *
 * @throws CheckpointError CHECKPOINT_MISSING, CHECKPOINT_FORMAT, CHECKPOINT_CONTENT: tensors that are no layer's of this model,
 *   or of another shape or rank
 * @throws TransfusionError CONFIG_INVALID: another kind of adapter, or one with what is not supported; LORA_BASE: of another
 *   model; LORA_RANK, LORA_TARGETS
 */
export async function readAdapterFiles(
  folder: FolderReader,
  model: AdaptedModel,
  { strength = 1, checkBase = true }: ReadAdapterOptions = {},
): Promise<StoredAdapter> {
  const config = await readAdapterConfig(folder);
  const weights = await folder.openTensors(ADAPTER_WEIGHTS);
  const sizes = linearLayers(transfusionSpec(model.config.model));
  const names = checkNames([...weights.tensors.keys()], sizes, weights.path);
  checkTargets(config, [...names.keys()], sizes, weights.path);
  for (const [path, { a, b }] of names) {
    const { outputs, inputs } = sizes.get(path)!;
    checkRank(path, { outputs, inputs }, config.r);
    checkShape(weights, a, [config.r, inputs]);
    checkShape(weights, b, [outputs, config.r]);
  }
  if (checkBase) await checkBaseOf(config, model, folder.path);
  const tensors = await weights.readAll();
  checkFinite(tensors, weights.path);
  const layers = new Map([...names].map(([path, { a, b }]) => [path, { a: tensors.get(a)!, b: tensors.get(b)! }]));
  return { where: folder.path, config, layers, strength };
}

/** The names of the tensors of each layer. */
function checkNames(names: string[], sizes: ReadonlyMap<string, LayerSize>, where: string) {
  const layers = new Map<string, Partial<LowRankParameters<string>>>();
  for (const name of names) {
    const { path, which } = parseTensorName(name) ?? {};
    if (path === undefined || which === undefined || !sizes.has(path)) throw unknownName(name, path, sizes, where);
    layers.set(path, { ...layers.get(path), [which]: name });
  }
  for (const [path, { a, b }] of layers) {
    if (a !== undefined && b !== undefined) continue;
    throw contentError(`${where} has no lora_${a === undefined ? 'A' : 'B'} of ${path}, and its other half`);
  }
  if (layers.size === 0) throw contentError(`${where} has no tensors`);
  return layers as Map<string, LowRankParameters<string>>;
}

function unknownName(name: string, path: string | undefined, sizes: ReadonlyMap<string, unknown>, where: string) {
  if (path === undefined) {
    return contentError(`${where} has ${name}, expected names such as base_model.model.LAYER.lora_A.weight`);
  }
  const nearest = nearestName(path, [...sizes.keys()]);
  return contentError(
    `${where} has a LoRA of ${path}, which is no linear layer of this model${nearest ? ` (the nearest is ${nearest})` : ''}`,
  );
}

/** Names are PEFT's: a list of ends of paths, or all-linear; another text is a pattern, which the tensors' names replace. */
function checkTargets(
  { target_modules: targets }: AdapterConfig,
  paths: readonly string[],
  sizes: ReadonlyMap<string, LayerSize>,
  where: string,
): void {
  if (!Array.isArray(targets)) return;
  const targeted = targetedLayers(targets, sizes);
  const other = paths.find((path) => !targeted.includes(path));
  if (other !== undefined) throw contentError(`${where} has a LoRA of ${other}, which target_modules does not name`);
  const missing = targets.find((target) => sizes.has(target) && !paths.includes(target));
  if (missing !== undefined) throw contentError(`${where} has no LoRA of ${missing}, which target_modules names`);
}

function checkShape(
  { tensors, path }: { tensors: ReadonlyMap<string, { shape: number[] }>; path: string },
  name: string,
  expected: number[],
): void {
  const { shape } = tensors.get(name)!;
  if (shape.join() === expected.join()) return;
  throw contentError(
    `${path}: ${name} is [${shape.join(', ')}], expected [${expected.join(', ')}] by r and the sizes of the model`,
  );
}

function contentError(message: string): CheckpointError {
  return new CheckpointError({
    code: 'CHECKPOINT_CONTENT',
    message,
    fix: 'give the folder of a LoRA of this model, whole',
  });
}

/** @throws TransfusionError LORA_BASE */
async function checkBaseOf(config: AdapterConfig, { tensors }: AdaptedModel, where: string): Promise<void> {
  const { base_model_fingerprint: expected, base_model_name_or_path: name } = config;
  if (!expected) return;
  const found = await weightsFingerprint(tensors);
  if (found === undefined || found === expected) return;
  throw new TransfusionError({
    code: 'LORA_BASE',
    message: `${where} is a LoRA of another model${name ? ` (${name})` : ''}: the weights that it was trained on are not those of this one`,
    fix: `give it with its own model; to use it on this one all the same, take base_model_fingerprint out of its ${ADAPTER_CONFIG}`,
  });
}

/** What B A is multiplied with. */
export function scaleOf({ config, strength }: Pick<StoredAdapter, 'config' | 'strength'>): number {
  return (strength * config.lora_alpha) / config.r;
}

/** The weights W + scale B A, as new arrays where they change: a model that needs its adapters no more. */
export function mergeAdapters(
  tensors: ReadonlyMap<string, NamedTensor>,
  adapters: readonly StoredAdapter[],
): Map<string, NamedTensor> {
  const layersOf = (name: string) => adapters.map((adapter) => ({ adapter, layer: adapter.layers.get(layerOf(name)) }));
  return new Map(
    [...tensors].map(([name, { shape, data }]) => {
      const merged = layersOf(name).reduce((sum, { adapter, layer }) => {
        if (!layer) return sum;
        const matrices = { a: layer.a.data, b: layer.b.data };
        return mergedWeight(sum, matrices, { rank: adapter.config.r, scale: scaleOf(adapter) });
      }, data);
      return [name, { shape, data: merged }];
    }),
  );
}

/** `mergeAdapters` undone, but for rounding: the weights W of W + scale B A. */
export function unmergeAdapters(
  tensors: ReadonlyMap<string, NamedTensor>,
  adapters: readonly StoredAdapter[],
): Map<string, NamedTensor> {
  const negative = adapters.map((adapter) => ({ ...adapter, strength: -adapter.strength }));
  return mergeAdapters(tensors, negative.reverse());
}
