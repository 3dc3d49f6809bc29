/** @file `trainer reconstruct`: how well an autoencoder gives back held-out pictures. */
import { join } from 'node:path';
import { type BackendChoice, modelPath, openBackend, type Terminal, writeOutputFile } from '@transfusion/app-common';
import { parseConfig } from '@transfusion/checkpoint';
import { openCheckpoint } from '@transfusion/checkpoint/node';
import { imageOf, splitDataset } from '@transfusion/data';
import { TransfusionError } from '@transfusion/tensor';
import { openCodec, readCodecFolder } from '@transfusion/vae';
import { vaeRunConfigSchema } from '../autoencoder/config.js';
import { describeScores, reconstruct, scoreAutoencoder } from '../autoencoder/evaluate.js';
import { reconstructionGrid, spread } from '../autoencoder/reconstruction-grid.js';
import { autoencoderTrainerStateSchema } from '../autoencoder/run-folder.js';
import { type ConfigSources, changeConfig } from '../config/resolve-config.js';
import { loadDataset } from '../data/dataset.js';
import { TRAINING_FILE } from './export-command.js';

export interface ReconstructCommandOptions extends Pick<ConfigSources, 'set'> {
  /** An autoencoder's folder, or a model of this repository. */
  model: string;
  /** A PNG file. */
  out?: string;
  /** Pictures in it. */
  images: number;
  runs: string;
  backend: BackendChoice;
}

/** The pictures are those that were held out when the model was trained, unless --set says otherwise. */
export async function reconstructCommand(options: ReconstructCommandOptions, terminal: Terminal): Promise<void> {
  const { model, out, images: shown, runs, set = [] } = options;
  const { stored, trained } = await openCheckpoint(modelPath(model), async (reader) => ({
    stored: await readCodecFolder(reader),
    trained: (await reader.has(TRAINING_FILE))
      ? (await reader.readJson(TRAINING_FILE, autoencoderTrainerStateSchema)).config
      : parseConfig(vaeRunConfigSchema, {}, 'defaults'),
  }));
  const { data, seed } = changeConfig(vaeRunConfigSchema, trained, set);
  const { images } = await loadDataset(data, { cacheFolder: join(runs, '..', '.cache', 'data'), terminal });
  const { heldOut } = splitDataset({ images, fraction: data.heldOutFraction, seed });
  if (heldOut.length === 0) {
    throw new TransfusionError({
      code: 'DATA_NO_EXAMPLES',
      message: 'no picture is held out',
      fix: 'hold some out: --set data.heldOutFraction=0.05',
    });
  }
  const backend = await openBackend(options.backend, terminal);
  const codec = openCodec({ ...stored, backend, maxBatch: 8 });
  try {
    if (out !== undefined) {
      const few = spread(heldOut, shown);
      await writeOutputFile(out, reconstructionGrid(few.map(imageOf), await reconstruct(codec, few)));
      terminal.log(`wrote ${out}: originals, and below each its reconstruction`);
    }
    terminal.out(describeScores(await scoreAutoencoder(codec, heldOut)));
  } finally {
    codec.dispose();
    await backend.dispose();
  }
}
