import { countParameters } from '@transfusion/nn';
import {
  codecConfigOf,
  klPresets,
  klSpec,
  latentShapeOf,
  parseAutoencoderConfig,
  vqPresets,
  vqSpec,
} from '../index.js';

/** As published with Stable Diffusion 1.5. */
const stableDiffusion = {
  _class_name: 'AutoencoderKL',
  _diffusers_version: '0.6.0',
  act_fn: 'silu',
  block_out_channels: [128, 256, 512, 512],
  down_block_types: ['DownEncoderBlock2D', 'DownEncoderBlock2D', 'DownEncoderBlock2D', 'DownEncoderBlock2D'],
  in_channels: 3,
  latent_channels: 4,
  layers_per_block: 2,
  norm_num_groups: 32,
  out_channels: 3,
  sample_size: 512,
  up_block_types: ['UpDecoderBlock2D', 'UpDecoderBlock2D', 'UpDecoderBlock2D', 'UpDecoderBlock2D'],
};
/** As published with FLUX.1. */
const flux = {
  ...stableDiffusion,
  _name_or_path: '../checkpoints/flux-dev',
  force_upcast: true,
  latent_channels: 16,
  latents_mean: null,
  latents_std: null,
  mid_block_add_attention: true,
  scaling_factor: 0.3611,
  shift_factor: 0.1159,
  use_post_quant_conv: false,
  use_quant_conv: false,
};
const parse = (changes: object) => parseAutoencoderConfig({ ...stableDiffusion, ...changes }, 'vae/config.json');

test("published autoencoders have their published numbers of parameters; the paper's is of that size", () => {
  const count = (json: unknown) => {
    const config = codecConfigOf(json);
    return config.kind === 'kl' ? countParameters(klSpec(config.autoencoder)) : 0;
  };
  expect(count(stableDiffusion)).toBe(83_653_863);
  expect(count(flux)).toBe(83_819_683);
  expect(countParameters(vqSpec(vqPresets.paper))).toBe(83_803_419);
  const paper = countParameters(klSpec(klPresets.paper));
  expect(paper).toBe(83_709_419);
  expect(latentShapeOf({ kind: 'kl', autoencoder: klPresets.paper }, { height: 256, width: 256 })).toEqual({
    ...{ height: 32, width: 32, channels: 8 },
  });
});

test('the emoji presets fit 6 MB in f16, and make 64 x 64 pixels 8 x 8 latents', () => {
  const [kl, vq] = [countParameters(klSpec(klPresets['emoji-64'])), countParameters(vqSpec(vqPresets['emoji-64']))];
  expect([kl, vq]).toEqual([2_739_707, 2_746_667]);
  expect(2 * Math.max(kl, vq)).toBeLessThan(6e6);
  const size = { height: 64, width: 64 };
  expect(latentShapeOf({ kind: 'kl', autoencoder: klPresets['emoji-64'] }, size)).toEqual({
    ...{ height: 8, width: 8, channels: 8 },
  });
});

test("a config.json keeps what it says, takes diffusers' defaults for the rest, and drops diffusers' notes", () => {
  expect(parse({ _use_default_values: ['scaling_factor'] })).toMatchObject({
    ...{ latent_channels: 4, scaling_factor: 0.18215, shift_factor: null, use_quant_conv: true },
  });
  expect(parse({ _use_default_values: [] })).not.toHaveProperty('_use_default_values');
  expect(parseAutoencoderConfig(flux)).toMatchObject({ latent_channels: 16, shift_factor: 0.1159 });
  const vq = parseAutoencoderConfig({ _class_name: 'VQModel', vq_embed_dim: null, latent_channels: 3 });
  expect(vq).toMatchObject({ num_vq_embeddings: 16_384, vq_embed_dim: null });
  expect(latentShapeOf({ kind: 'vq', autoencoder: vq as never }, { height: 1, width: 2 }).channels).toBe(3);
});

test.each([
  [{ layer_per_block: 2 }, /vae\/config\.json.*layer_per_block: unknown key; did you mean "layers_per_block"\?/s],
  [{ scale_factor: 2 }, /scale_factor: unknown key; did you mean "scaling_factor"\?/],
  [{ colourful: 1 }, /colourful: unknown key; known keys: _class_name, .*in_channels/],
  [
    { down_block_types: ['AttnDownEncoderBlock2D'] },
    /down_block_types\.0: .*"DownEncoderBlock2D" \(got "AttnDownEncoderBlock2D"\)/,
  ],
  [{ act_fn: 'gelu' }, /act_fn: .*"silu"\|"swish" \(got "gelu"\)/],
  [{ in_channels: 4 }, /in_channels: .*expected 3 \(got 4\)/],
  [{ block_out_channels: [128, 256] }, / down_block_types: has 4 entries for the 2 of block_out_channels/],
  [{ norm_num_groups: 24 }, /24 groups do not divide 128/],
  [{ latents_mean: [0, 0], latents_std: [1, 1] }, /latents_mean: has 2 numbers for latent_channels = 4/],
  [{ latents_mean: [0, 0, 0, 0] }, /give both or neither/],
  [{ latents_mean: [0, 0, 0, 0], latents_std: [1, 1, 0, 1] }, /must be above 0/],
  [{ latents_mean: [0, 0, 0, 0], latents_std: [1, 1, 1, 1], shift_factor: 1 }, /not by both/],
  [{ scaling_factor: 0 }, /scaling_factor: .*>0 \(got 0\)/],
  [{ _class_name: 'AutoencoderTiny' }, /_class_name is "AutoencoderTiny", expected AutoencoderKL or VQModel/],
  [{ _class_name: undefined }, /_class_name is missing/],
])('%j is refused by name', (changes, message) => {
  expect(() => parse(changes)).toThrow(message);
  expect(() => parse(changes)).toThrow(/^CODEC_CONFIG: vae\/config\.json/);
});

test.each([
  [null, 'null'],
  [[], 'a list'],
  ['x', 'a string'],
])('%j is no configuration', (value, what) => {
  expect(() => parseAutoencoderConfig(value)).toThrow(`CODEC_CONFIG: config.json: is ${what}, expected an object`);
});
