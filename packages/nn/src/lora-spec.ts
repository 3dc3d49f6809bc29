/** @file Which layers of a model get a low-rank adapter, and what is trained of it. */
import { nearestName, TransfusionError } from '@transfusion/core';
import { flattenTree } from '@transfusion/tensor';
import { type LowRankParameters, layerOf } from './low-rank.js';
import { isParameterSpec, linearWeight, ParameterSpec } from './parameters.js';

export interface LayerSize {
  outputs: number;
  inputs: number;
}

/** The linear layers of a model by path, such as `blocks.0.attention.query` or `patchIn`, and their sizes. */
export function linearLayers(specs: unknown): Map<string, LayerSize> {
  const linear = [...flattenTree<ParameterSpec>(specs, isParameterSpec)].filter(([, { isLinear }]) => isLinear);
  return new Map(linear.map(([path, { shape }]) => [layerOf(path), { outputs: shape[0], inputs: shape[1] }]));
}

/** Layers by name; `all-linear` are all but the output layer (`languageHead`), as PEFT understands it. */
export type LoraTargets = 'all-linear' | readonly string[];

/** The layer that turns hidden states into logits. */
const OUTPUT_LAYER = 'languageHead';

/**
 * The layers that targets name. A target is a path, or its end from a dot on (`query` is every `...query`); `*` stands for anything.
 *
 * @throws TransfusionError LORA_TARGETS: a target is no layer's
 */
export function targetedLayers(targets: LoraTargets, layers: ReadonlyMap<string, LayerSize>): string[] {
  const paths = [...layers.keys()];
  if (targets === 'all-linear') return paths.filter((path) => path !== OUTPUT_LAYER);
  const patterns = targets.map(patternOf);
  const lost = targets.filter((_, i) => !paths.some((path) => patterns[i].test(path)));
  if (lost.length === 0 && targets.length > 0) return paths.filter((path) => patterns.some((each) => each.test(path)));
  const known = [...new Set(paths.flatMap(endsOf))];
  const nearest = lost.map((target) => nearestName(target, known)).filter((name) => name !== undefined);
  throw new TransfusionError({
    code: 'LORA_TARGETS',
    message:
      lost.length > 0
        ? `no linear layer of this model is named ${lost.map((each) => JSON.stringify(each)).join(', ')}`
        : 'there is no target',
    fix: `${nearest.length > 0 ? `the nearest: ${nearest.join(', ')}; ` : ''}its layers end in ${lastNames(paths).join(', ')}; all-linear takes all but the output layer`,
  });
}

function patternOf(target: string): RegExp {
  const escaped = target.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^(?:.*\\.)?${escaped.join('.*')}$`);
}

/** A path, and what remains of it after each dot. */
function endsOf(path: string): string[] {
  const names = path.split('.');
  return names.map((_, i) => names.slice(i).join('.'));
}

/** The last names of paths, each once. */
function lastNames(paths: readonly string[]): string[] {
  return [...new Set(paths.map((path) => path.slice(path.lastIndexOf('.') + 1)))];
}

export interface LoraOptions {
  /** Rows of A and columns of B. */
  rank: number;
  targets: LoraTargets;
}

/**
 * What is trained, by layer. A starts with the variance that PEFT's has (Kaiming's, 1 / (3 inputs)), B at zero: an untrained
 * adapter changes nothing.
 *
 * @throws TransfusionError LORA_TARGETS; LORA_RANK: larger than a side of a layer
 */
export function loraSpec(
  specs: unknown,
  { rank, targets }: LoraOptions,
): Record<string, LowRankParameters<ParameterSpec>> {
  const layers = linearLayers(specs);
  const chosen = targetedLayers(targets, layers).map((path) => {
    const { outputs, inputs } = layers.get(path)!;
    checkRank(path, { outputs, inputs }, rank);
    const b = new ParameterSpec([outputs, rank], { kind: 'constant', value: 0 }, true);
    return [path, { a: linearWeight([rank, inputs], 1 / Math.sqrt(3 * inputs)), b }] as const;
  });
  return Object.fromEntries(chosen);
}

/** @throws TransfusionError LORA_RANK */
export function checkRank(path: string, { outputs, inputs }: LayerSize, rank: number): void {
  const most = Math.min(outputs, inputs);
  if (rank <= most) return;
  throw new TransfusionError({
    code: 'LORA_RANK',
    message: `${path} is [${outputs}, ${inputs}], a rank of ${rank} is more than its shorter side`,
    fix: `choose a rank of ${most} at most, or leave this layer out of the targets`,
  });
}
