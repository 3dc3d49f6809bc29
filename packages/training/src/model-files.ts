/** @file A model as files have it. */

/** A tensor of a file. */
export interface NamedTensor {
  shape: number[];
  data: Float32Array;
}

/** What a model consists of, as files have it. */
export interface ModelFiles {
  /** `config.json` */
  config: unknown;
  /** `model.safetensors`, by name. */
  tensors: Map<string, NamedTensor>;
  /** `tokenizer.json` */
  tokenizer?: unknown;
  /** `vae/` */
  vae?: { config: unknown; tensors: Map<string, NamedTensor> };
  /** They are a LoRA's instead: `adapter_config.json` and `adapter_model.safetensors`. */
  isAdapter?: true;
}
