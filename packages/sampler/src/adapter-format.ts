/** @file A LoRA as PEFT keeps it: the fields of `adapter_config.json`, and the names of `adapter_model.safetensors`. */
import type { LowRankParameters } from '@transfusion/nn';
import { z } from 'zod';
import type { NamedTensor } from './parameter-tensors.js';

export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';

/** What PEFT puts before the path of a layer. */
const PREFIX = 'base_model.model.';

const off = <Value extends boolean | 'none' | null>(value: Value) =>
  z.literal(value, `is not supported here: expected ${JSON.stringify(value)}`).optional();
const none = z
  .record(z.string(), z.unknown())
  .nullish()
  .refine((given) => Object.keys(given ?? {}).length === 0, 'is not supported here: expected none');

/** Other fields of PEFT's say how to train, or which layers, which the names of the tensors tell. */
export const adapterConfigSchema = z.looseObject({
  peft_type: z.literal('LORA').describe('kind of adapter'),
  r: z.int().min(1).describe('rank of each layer'),
  lora_alpha: z.number().describe('the product B A is multiplied with lora_alpha / r'),
  target_modules: z
    .union([z.string(), z.array(z.string())])
    .nullish()
    .describe('the layers, by path or the end of it'),
  base_model_name_or_path: z.string().nullish().describe('the folder of the model that it was trained on'),
  base_model_fingerprint: z
    .string()
    .nullish()
    .describe('see `weightsFingerprint`; without it any model will do that fits'),
  bias: off('none'),
  use_dora: off(false),
  use_rslora: off(false),
  lora_bias: off(false),
  fan_in_fan_out: off(false),
  modules_to_save: z.array(z.string()).max(0, 'is not supported here: expected none').nullish(),
  rank_pattern: none,
  alpha_pattern: none,
});

export type AdapterConfig = z.output<typeof adapterConfigSchema>;

export interface AdapterFiles {
  /** `adapter_config.json` */
  config: AdapterConfig;
  /** `adapter_model.safetensors`, by name. */
  tensors: Map<string, NamedTensor>;
}

/** The files of a LoRA. @param options.layers by path */
export function adapterFiles(options: {
  layers: ReadonlyMap<string, LowRankParameters<NamedTensor>>;
  rank: number;
  alpha: number;
  /** The model that it was trained on. */
  base: { name?: string; fingerprint?: string };
}): AdapterFiles {
  const { layers, rank, alpha, base } = options;
  const tensors = new Map<string, NamedTensor>();
  for (const [path, { a, b }] of layers) tensors.set(tensorName(path, 'a'), a).set(tensorName(path, 'b'), b);
  return {
    config: {
      peft_type: 'LORA',
      r: rank,
      lora_alpha: alpha,
      target_modules: [...layers.keys()],
      base_model_name_or_path: base.name ?? null,
      ...(base.fingerprint ? { base_model_fingerprint: base.fingerprint } : {}),
      bias: 'none',
      fan_in_fan_out: false,
      inference_mode: true,
      lora_dropout: 0,
      modules_to_save: null,
      task_type: null,
    },
    tensors,
  };
}

function tensorName(path: string, which: 'a' | 'b'): string {
  return `${PREFIX}${path}.lora_${which === 'a' ? 'A' : 'B'}.weight`;
}

/** The layer and the matrix that a name of PEFT's is of; undefined for others. */
export function parseTensorName(name: string): { path: string; which: 'a' | 'b' } | undefined {
  const [, path, which] = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/.exec(name) ?? [];
  return path === undefined ? undefined : { path, which: which === 'A' ? 'a' : 'b' };
}
