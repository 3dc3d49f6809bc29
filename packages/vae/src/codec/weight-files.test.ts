import { chooseWeights, otherWeights } from './weight-files.js';

const D = 'diffusion_pytorch_model';

/** Best first: each is taken where those before it are not there. */
const ORDER = [
  `${D}.safetensors`,
  `${D}.safetensors.index.json`,
  'model.safetensors',
  'model.safetensors.index.json',
  `${D}.fp32.safetensors`,
  `${D}.fp16.safetensors`,
  `${D}.fp16.safetensors.index.json`,
  `${D}.safetensors.fp16.index.json`,
  `${D}.safetensors.index.fp16.json`,
  'model.fp16.safetensors',
  `${D}.bf16.safetensors`,
  `${D}.ema.safetensors`,
  `${D}.non_ema.safetensors`,
  `${D}.emaonly.safetensors`,
  'model.int8.safetensors',
];

test('every form in which weights are published is found, the best of those that are there', () => {
  for (const [i, name] of ORDER.entries()) {
    expect(chooseWeights([...ORDER.slice(i)].reverse().concat('config.json', 'README.md'))).toBe(name);
  }
});

test.each([
  'config.json',
  'optimizer.safetensors',
  'other.safetensors',
  `${D}-00001-of-00002.safetensors`,
  `${D}.bin`,
  'model_index.json',
  'model.json',
  'xmodel.safetensors',
  'model.safetensors.bak',
])('%s is not taken for weights', (name) => {
  expect(chooseWeights([name])).toBeUndefined();
});

test.each([
  [[`${D}.bin`], /diffusion_pytorch_model\.bin, a pickle, which can run code/, /safe_serialization=True/],
  [['v1.ckpt', 'x.txt'], /v1\.ckpt, a pickle/, /save_pretrained/],
  [['diffusion_flax_model.msgpack'], /msgpack, which is not read/, /from_flax=True/],
  [['model.onnx'], /model\.onnx, which is not read/, /\.safetensors/],
  [['sdxl_vae.safetensors', `${D}.bin`], /sdxl_vae\.safetensors, a name that is not known/, /name the file diffusion/],
])('%j: why it is not read, and what to do', (names, is, fix) => {
  expect(otherWeights(names)).toEqual({ is: expect.stringMatching(is), fix: expect.stringMatching(fix) });
});

test('a folder without weights of any form', () => {
  expect(otherWeights(['config.json', 'README.md', 'optimizer.safetensors'])).toBeUndefined();
});
