/** @file Folders of latents, and pictures of another size than those that they are of. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '@transfusion/tensor';
import { autoencoderCodec, exportWeights } from '@transfusion/vae';
import { openWasm } from '@transfusion/wasm';
import { autoencoderTrainingConfig } from '../autoencoder/config.js';
import { autoencoderTask } from '../autoencoder/task.js';
import { initialValues } from '../train-state.js';
import { encodeLatents } from './encode-latents.js';
import { readLatentsFile, readScaledLatents } from './read-latents.js';

let backend: Backend;
let folder: string;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
  folder = await mkdtemp(join(tmpdir(), 'latents-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await backend.dispose();
});

const picture = (width: number, height: number) => ({
  ...{ width, height, caption: undefined, name: `${width} x ${height}`, group: 'all' },
  pixels: new Uint8Array(width * height * 3).fill(80),
});

function smallCodec() {
  const config = autoencoderTrainingConfig({
    autoencoder: { overrides: { block_out_channels: [4, 8], norm_num_groups: 2, latent_channels: 2 } },
  });
  const { autoencoder, phases } = autoencoderTask({ config, size: { width: 8, height: 8 } });
  const values = new Map<string, Float32Array>();
  for (const [path, data] of initialValues(phases, 1)) {
    if (path.startsWith('parameters.')) values.set(path.slice('parameters.'.length), data);
  }
  const weights = exportWeights({ config: autoencoder, values });
  return { config: autoencoderCodec(autoencoder), weights, where: 'test' };
}

test('pictures of several sizes are not encoded into one folder, nor read from one of another size', async () => {
  const codec = smallCodec();
  const common = { codec, flip: true, folder, backend, signal: new AbortController().signal };
  await expect(encodeLatents({ ...common, images: [picture(8, 8), picture(16, 4)] })).rejects.toThrow(
    /DATA_IMAGE_SIZE: .* 8 x 8 is 8 x 8, 16 x 4 is 16 x 4/,
  );
  const { finished } = await encodeLatents({ ...common, images: [picture(8, 8)] });
  expect(finished).toBe(true);
  const read = async (width: number, height: number) =>
    readScaledLatents({
      ...{ path: folder, codec, flip: true },
      file: await readLatentsFile(folder),
      images: [picture(width, height)],
    });
  expect((await read(8, 8))[0]).toHaveLength(2);
  // The same bytes.
  await expect(read(16, 4)).rejects.toThrow(/LATENTS_FOREIGN: .* another size than 16 x 4/);
});
