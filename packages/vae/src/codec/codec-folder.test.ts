import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CodecFolder, readCodecFolder } from '../index.js';
import { FIXTURES } from '../testing/fixtures.js';

const WEIGHTS = 'diffusion_pytorch_model.safetensors';
let kl: string;
beforeAll(async () => (kl = await readFile(join(FIXTURES, 'kl/config.json'), 'utf8')));

/** A folder of these files; what is read of weights is their name. */
function folderOf(files: Record<string, string>, canList = true): CodecFolder {
  const names = (inside: string) =>
    Object.keys(files).flatMap((name) => {
      const prefix = inside ? `${inside}/` : '';
      return name.startsWith(prefix) ? [name.slice(prefix.length).split('/')[0]] : [];
    });
  return {
    path: 'x/sd',
    has: async (name) => Object.hasOwn(files, name),
    readText: async (name) => files[name],
    readTensors: async (name) => new Map([[name, { shape: [], data: new Float32Array(1) }]]),
    ...(canList ? { list: async (inside: string) => [...new Set(names(inside))] } : {}),
  };
}
const read = (files: Record<string, string>, canList?: boolean) => readCodecFolder(folderOf(files, canList));

test.each([true, false])('only a variant is there; a folder that can be listed: %p', async (canList) => {
  for (const name of ['diffusion_pytorch_model.fp16.safetensors', 'model.safetensors.index.json']) {
    const { where, weights } = await read({ 'config.json': kl, [name]: '' }, canList);
    expect([where, [...weights.keys()]]).toEqual([`x/sd/${name}`, [name]]);
  }
  await expect(read({ 'config.json': kl, 'diffusion_pytorch_model.bin': '' }, canList)).rejects.toThrow(
    /^CODEC_FOLDER: there is no x\/sd\/diffusion_pytorch_model\.safetensors, .*; it has diffusion_pytorch_model\.bin, a pickle/,
  );
});

test('the folder of a pipeline is read as that of its only autoencoder', async () => {
  const pipeline = {
    'model_index.json': '{}',
    'unet/config.json': '{}',
    'vae/config.json': kl,
    [`vae/${WEIGHTS}`]: '',
  };
  expect((await read(pipeline)).where).toBe(`x/sd/vae/${WEIGHTS}`);
  expect((await read(pipeline, false)).where).toBe(`x/sd/vae/${WEIGHTS}`);
  await expect(read({ ...pipeline, 'movq/config.json': kl })).rejects.toThrow(
    /^CODEC_FOLDER: x\/sd is a pipeline with 2 autoencoders: vae, movq.*give .* x\/sd\/vae/s,
  );
});

test.each<[string, Record<string, string>, RegExp]>([
  [
    'one level above, or of a run',
    { 'model/config.json': '{}', 'metrics.jsonl': '' },
    /give x\/sd\/model, which has one/,
  ],
  [
    'beside versions that a writer leaves',
    { 'model/config.json': '{}', 'model.old-1/config.json': '' },
    /give x\/sd\/model,/,
  ],
  ["in Hugging Face's cache", { 'snapshots/f00d/config.json': '{}', 'refs/main': '' }, /give x\/sd\/snapshots\/f00d,/],
  ['of several models', { 'a/config.json': '{}', 'b/config.json': '{}' }, /one: x\/sd\/a, x\/sd\/b/],
  ['of weights alone', { 'kl-f8.ckpt': '' }, /kl-f8\.ckpt alone does not tell its architecture/],
  ['of nothing known', { 'notes.txt': '' }, /give the folder of an autoencoder/],
])('a folder %s: which to give', async (_, files, fix) => {
  await expect(read(files)).rejects.toThrow(/^CODEC_FOLDER: there is no x\/sd\/config\.json/);
  await expect(read(files)).rejects.toThrow(fix);
});

test.each<[string, unknown, RegExp]>([
  ['a Transfusion model', { format: 'transfusion', codec: { kind: 'kl' } }, /a Transfusion model.*folder, x\/sd\/vae/s],
  ['one of pixels', { format: 'transfusion', codec: { kind: 'pixels' } }, /diffuses pixels, and has no autoencoder/],
  ['AutoencoderTiny', { _class_name: 'AutoencoderTiny' }, /other layers.*stands in for/s],
  ['AsymmetricAutoencoderKL', { _class_name: 'AsymmetricAutoencoderKL' }, /other layers/],
  ['AutoencoderKLWan', { _class_name: 'AutoencoderKLWan' }, /other layers/],
  ['UNet2DConditionModel', { _class_name: 'UNet2DConditionModel' }, /denoiser of a pipeline.* in x\/vae/s],
  ['a pipeline', { _class_name: 'StableDiffusionPipeline' }, /whole pipeline.*x\/sd\/vae/s],
  ['a transformers model', { model_type: 'clip_text_model' }, /of a clip_text_model of transformers/],
])('the config.json of %s: what it is, and which to give', async (_, json, message) => {
  await expect(read({ 'config.json': JSON.stringify(json) })).rejects.toThrow(message);
  await expect(read({ 'config.json': JSON.stringify(json) })).rejects.toThrow(/^CODEC_CONFIG: x\/sd\/config\.json/);
});

test('a config.json with a byte order mark is read; one that is something else is named', async () => {
  expect((await read({ 'config.json': `\ufeff${kl}`, [WEIGHTS]: '' })).config.kind).toBe('kl');
  const refused: [string, RegExp][] = [
    ['version https://git-lfs.github.com/spec/v1\n', /Git LFS pointer.*git lfs pull/s],
    ['<!doctype html>', /a web page/],
    [Buffer.from('{}', 'utf16le').toString(), /UTF-16/],
    ['{"a": 1,}', /is not JSON: .*edited by hand/s],
  ];
  for (const [text, message] of refused) await expect(read({ 'config.json': text })).rejects.toThrow(message);
});
