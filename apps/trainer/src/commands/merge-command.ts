/** @file `trainer merge`: a model with LoRAs as a plain model folder. */
import type { AdapterChoice, Terminal } from '@transfusion/app-common';
import { checkWritableFolder, saveModelFolder, type TensorMap } from '@transfusion/checkpoint/node';
import { TransfusionError } from '@transfusion/core';
import { mergeAdapters, type StoredModel } from '@transfusion/sampler';
import { readModelFolder } from '@transfusion/sampler/node';

export interface MergeCommandOptions {
  /** Folder of a model, or of a LoRA whose model is where it says. */
  model: string;
  lora?: AdapterChoice[];
  out: string;
}

/** @throws CheckpointError; TransfusionError LORA_*, OUTPUT_EXISTS, MERGE_NOTHING: there is no LoRA */
export async function mergeCommand({ model, lora, out }: MergeCommandOptions, terminal: Terminal): Promise<void> {
  await checkWritableFolder(out);
  const stored = await readModelFolder(model, { adapters: lora });
  const { config, tensors, tokenizer, adapters = [] } = stored;
  if (adapters.length === 0) {
    throw new TransfusionError({
      code: 'MERGE_NOTHING',
      message: `${model} is a model without LoRAs, and no --lora is given: there is nothing to merge`,
      fix: 'give --lora FOLDER, or as --model the folder of a LoRA',
    });
  }
  await saveModelFolder({
    path: out,
    config,
    tensors: mergeAdapters(tensors, adapters),
    tokenizer: tokenizer.toJson(),
    ...vaeOf(stored),
  });
  const layers = new Set(adapters.flatMap(({ layers }) => [...layers.keys()])).size;
  terminal.out(`${out}: ${adapters.length} LoRA${adapters.length === 1 ? '' : 's'} merged into ${layers} layers`);
}

function vaeOf({ config: { codec }, vae }: StoredModel): { vae?: { config: unknown; tensors: TensorMap } } {
  if (!vae || codec.kind === 'pixels') return {};
  const tensors: TensorMap = new Map(
    [...vae.weights].map(([name, { shape, data }]) => [name, { shape: [...shape], data }]),
  );
  return { vae: { config: codec.autoencoder, tensors } };
}
