/** @file VAE folders on disk: what `checkpoint` writes and reads is what `vae` opens. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCheckpoint, readSafetensorsFile, saveModelFolder } from '@transfusion/checkpoint/node';
import type { Backend } from '@transfusion/tensor';
import { exportWeights, importWeights, type KlCodec, openCodec, readCodecFolder } from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';

const fixtures = join(__dirname, '../packages/vae/fixtures');
let folder: string;
let backend: Backend;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-vae-'));
  backend = await openWasm({ threads: 1 });
});
afterAll(async () => {
  await backend.dispose();
  await rm(folder, { recursive: true, force: true });
});

async function encodeGolden(path: string, inside?: string): Promise<Float32Array> {
  const stored = await openCheckpoint(path, (reader) => readCodecFolder(reader, inside));
  const codec = openCodec({ backend, ...stored }) as KlCodec;
  const golden = await readSafetensorsFile(join(fixtures, 'kl/expected.safetensors'));
  const { shape, data } = golden.get('images')!;
  const [mean] = await codec.encode({ height: shape[1], width: shape[2], images: [data.slice(0, data.length / 2)] });
  codec.dispose();
  return mean;
}

test('a folder as diffusers writes it, and saved again inside a model folder, give the same latents', async () => {
  const published = join(fixtures, 'kl');
  const expected = await readSafetensorsFile(join(published, 'expected.safetensors'));
  const latents = await encodeGolden(published);
  latents.forEach((value, i) => expect(value).toBeCloseTo((expected.get('mean')!.data[i] - 0.25) * 0.5, 5));

  const { config, weights } = await openCheckpoint(published, readCodecFolder);
  if (config.kind !== 'kl') throw new Error(config.kind);
  const { autoencoder } = config;
  const values = importWeights({ config: autoencoder, tensors: weights });
  const vae = { config: autoencoder, tensors: exportWeights({ config: autoencoder, values }) };
  await saveModelFolder({ path: join(folder, 'model'), config: {}, tensors: new Map(), vae });
  expect(await encodeGolden(join(folder, 'model'), 'vae')).toEqual(latents);
});

test('f16 weights under the other name', async () => {
  const stored = await openCheckpoint(join(fixtures, 'kl-old-names'), readCodecFolder);
  const codec = openCodec({ backend, ...stored }) as KlCodec;
  const golden = await readSafetensorsFile(join(fixtures, 'kl-old-names/expected.safetensors'));
  const images = [golden.get('images')!.data];
  const [{ mean }] = await codec.encodePosterior({ height: 8, width: 8, images });
  mean.forEach((value, i) => expect(value).toBeCloseTo(golden.get('mean')!.data[i], 4));
  codec.dispose();
});

test('damaged folders are refused, each file named', async () => {
  const path = join(folder, 'damaged');
  const { config, weights } = await openCheckpoint(join(fixtures, 'kl'), readCodecFolder);
  const tensors = new Map([...weights].map(([name, { shape, data }]) => [name, { shape: [...shape], data }]));
  const json = config.kind === 'kl' ? config.autoencoder : {};
  await saveModelFolder({ path, config: json, tensors });
  await writeFile(join(path, 'diffusion_pytorch_model.safetensors'), 'torn');
  await expect(openCheckpoint(path, readCodecFolder)).rejects.toThrow(
    /CHECKPOINT_FORMAT: .*diffusion_pytorch_model\.safetensors/,
  );
  await writeFile(join(path, 'config.json'), '{');
  await expect(openCheckpoint(path, readCodecFolder)).rejects.toThrow(
    /CODEC_CONFIG: .*damaged\/config\.json is not JSON/,
  );
  await rm(join(path, 'config.json'));
  await expect(openCheckpoint(path, readCodecFolder)).rejects.toThrow(/CODEC_FOLDER: there is no .*config\.json/);
  await expect(openCheckpoint(join(folder, 'none'), readCodecFolder)).rejects.toThrow(/CHECKPOINT_MISSING/);
});
