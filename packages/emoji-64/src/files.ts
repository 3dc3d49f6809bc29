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
  'model.safetensors': '82e55b9e64c4c8f6a46d41a5991bdcf5e2ba6a9013d48948c42e6ec67eec2eba',
  'tokenizer.json': 'b32293ef379213976932ee683e4b0dad50a02194886593aafb320f989c4365a7',
  'training.json': '411d71b46adf23674bca6a59139c932a78c2b5d14cf3f816c50b368d08bfed00',
  'vae/config.json': '4cfbc7e67a07926acd021958f0f6424e74f3ea4c042aee6d21f904f7711632ae',
  'vae/diffusion_pytorch_model.safetensors': 'b8bbc20018b4c03a42e2054be4afb400c68181f3b1c4b26f0faf667d5568604f',
};
