/** @file A tiny model as the files of its folder, for tests. */
import { tinyCodecWeights, tinyKl, tinyLatentConfig } from '../../../../../packages/sampler/src/testing/tiny-codec.js';
import { byteTokenizer, tinyConfig, tinyWeights } from '../../../../../packages/sampler/src/testing/tiny-model.js';
import type { Files } from '../folders.js';
import { modelFolderFiles } from '../model-files.js';

/** @param latents whether it has an autoencoder in `vae/` */
export function tinyFiles({ latents = false } = {}): Files {
  const config = latents ? tinyLatentConfig(tinyKl) : tinyConfig();
  return modelFolderFiles({
    ...{ config, tensors: tinyWeights(config), tokenizer: byteTokenizer().toJson() },
    ...(latents && { vae: { config: tinyKl, tensors: named(tinyCodecWeights(tinyKl)) } }),
  });
}

function named(weights: ReturnType<typeof tinyCodecWeights>) {
  return new Map([...weights].map(([name, { shape, data }]) => [name, { shape: [...shape], data }]));
}
