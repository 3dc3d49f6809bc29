/** @file What a file of weights is whose tensors have other names than diffusers'. */
import type { AutoencoderConfig } from './config.js';

type ClassName = AutoencoderConfig['_class_name'];

export interface ForeignNames {
  is: string;
  fix: string;
}

/** What the names of a file tell, if they are of a kind that is known. */
export function identifyNames(names: readonly string[], className: ClassName): ForeignNames | undefined {
  const any = (pattern: RegExp) => names.some((name) => pattern.test(name));
  if (any(/^(model\.diffusion_model|cond_stage_model|conditioner)\./)) {
    return {
      is: 'a whole Stable Diffusion checkpoint, with the names of the original code',
      fix: `convert its autoencoder in Python: diffusers' AutoencoderKL.from_single_file(file).save_pretrained(folder)`,
    };
  }
  if (
    any(
      /^(first_stage_model\.)?(encoder|decoder)\.(down|up|mid)\.(\d+\.(block|attn|downsample|upsample)|block_1|attn_1)/,
    )
  ) {
    return {
      is: 'an autoencoder with the names of the original code (CompVis, latent-diffusion), not of diffusers',
      fix:
        className === 'VQModel'
          ? "rename its tensors to those of diffusers' VQModel, or take an autoencoder that is published in diffusers' form"
          : "convert it in Python: diffusers' AutoencoderKL.from_single_file(file).save_pretrained(folder)",
    };
  }
  const prefix = commonPrefix(names);
  if (prefix) {
    return {
      is: `every name begins with "${prefix}", as where a whole model was saved`,
      fix: `save its part alone, so that names begin with encoder. and decoder.`,
    };
  }
  if (any(/^quantize\./) && className === 'AutoencoderKL') {
    return { is: 'quantize is of a VQModel', fix: 'take the config.json that was published beside these weights' };
  }
  if (any(/^(conv_in|down_blocks|mid_block|up_blocks|transformer_blocks|time_embedding)\./)) {
    return { is: 'the denoiser of a pipeline', fix: "take the weights of the pipeline's vae/ folder" };
  }
  return undefined;
}

/** `vae.`, `module.`, ...: what stands before encoder and decoder in all names. */
function commonPrefix(names: readonly string[]): string | undefined {
  const prefix = /^(.+\.)(encoder|decoder)\./.exec(names.find((name) => /\.(encoder|decoder)\./.test(name)) ?? '')?.[1];
  return prefix && names.every((name) => name.startsWith(prefix)) ? prefix : undefined;
}
