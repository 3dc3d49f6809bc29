/**
 * @file The autoencoder of Esser et al. 2021 (arXiv 2012.09841), as diffusers' AutoencoderKL and VQModel have it.
 *
 *   image -> encoder -> quant_conv -> mean, log variance -> latents -> post_quant_conv -> decoder -> image     (KL)
 *   image -> encoder -> quant_conv -> nearest code of the codebook  -> post_quant_conv -> decoder -> image     (VQ)
 */
import { convolution, downBlock, upBlock } from '@transfusion/nn';
import type { Tensor } from '@transfusion/tensor';
import { convolveLast, midBlock, normOf } from './blocks.js';
import type { AutoencoderConfig } from './config.js';
import type { DecoderParameters, EncoderParameters, KlParameters, VqParameters } from './parameters.js';
import { type Posterior, posteriorOf } from './posterior.js';

type Groups = Pick<AutoencoderConfig, 'norm_num_groups'>;

/** Images [batch, height, width, 3] in [-1, 1] to the distribution of their latents, not scaled. */
export function encode(config: Groups, p: Pick<KlParameters, 'encoder' | 'quant_conv'>, images: Tensor): Posterior {
  const features = encoder(config, p.encoder, images);
  return posteriorOf(p.quant_conv ? convolution(p.quant_conv, features) : features);
}

/** Images [batch, height, width, 3] in [-1, 1] to vectors [batch, height / f, width / f, code channels], not quantised. */
export function encodeToVectors(
  config: Groups,
  p: Pick<VqParameters, 'encoder' | 'quant_conv'>,
  images: Tensor,
): Tensor {
  return convolution(p.quant_conv, encoder(config, p.encoder, images));
}

/** Latents [batch, height, width, channels], not scaled, or codes, to images [batch, height f, width f, 3]. */
export function decode(config: Groups, p: Pick<KlParameters, 'decoder' | 'post_quant_conv'>, latents: Tensor): Tensor {
  return decoder(config, p.decoder, p.post_quant_conv ? convolution(p.post_quant_conv, latents) : latents);
}

function encoder({ norm_num_groups: groups }: Groups, p: EncoderParameters, images: Tensor): Tensor {
  let x = convolution(p.conv_in, images, { padding: 1 }); // [B, H, W, block_out_channels[0]]
  for (const block of p.down_blocks) x = downBlock(block, x, normOf(groups)); // [B, H / 2, W / 2, ...]
  x = midBlock(p.mid_block, x, groups);
  return convolveLast(p, x, groups);
}

function decoder({ norm_num_groups: groups }: Groups, p: DecoderParameters, latents: Tensor): Tensor {
  let x = convolution(p.conv_in, latents, { padding: 1 }); // [B, h, w, block_out_channels.at(-1)]
  x = midBlock(p.mid_block, x, groups);
  for (const block of p.up_blocks) x = upBlock(block, x, normOf(groups)); // [B, 2 h, 2 w, ...]
  return convolveLast(p, x, groups);
}
