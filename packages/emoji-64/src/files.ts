/** @file Made by `scripts/take-run.mjs`: the files of `model`. */

/**
 * Addresses by name, for `new UrlSource(files)` in a page; none while there is no model. Each is written out, so that bundlers
 * see the file, copy it and put its place here.
 */
export const files: Readonly<Record<string, string>> = {
  'config.json': new URL('../model/config.json', import.meta.url).href,
  'model.safetensors': new URL('../model/model.safetensors', import.meta.url).href,
  'tokenizer.json': new URL('../model/tokenizer.json', import.meta.url).href,
  'training.json': new URL('../model/training.json', import.meta.url).href,
  'vae/config.json': new URL('../model/vae/config.json', import.meta.url).href,
  'vae/diffusion_pytorch_model.safetensors': new URL(
    '../model/vae/diffusion_pytorch_model.safetensors',
    import.meta.url,
  ).href,
};

/** SHA-256 by name, for `verify`. */
export const sha256: Readonly<Record<string, string>> = {
  'config.json': 'ff2b24c1e96493d5b978bb4b8ff966d4a89dbdd6c5985b2dd00b8a974512451e',
  'model.safetensors': '8eddbe025e4cea4b0c38e18ec4e5febd2c3269b40e5c1eabc0b0d94c951edc2b',
  'tokenizer.json': 'b32293ef379213976932ee683e4b0dad50a02194886593aafb320f989c4365a7',
  'training.json': '0ef772a7c65ee588251ef1b966a933144ecd3a8c9651fcd2afbeca7ec0ebaabc',
  'vae/config.json': '4cfbc7e67a07926acd021958f0f6424e74f3ea4c042aee6d21f904f7711632ae',
  'vae/diffusion_pytorch_model.safetensors': 'b8bbc20018b4c03a42e2054be4afb400c68181f3b1c4b26f0faf667d5568604f',
};
