/** @file `trainer reconstruct`: how well an autoencoder gives back held-out pictures. */
import { join } from 'node:path';
import {
  type BackendChoice,
  type ConfigSources,
  modelPath,
  openBackend,
  type Terminal,
  withProgress,
} from '@transfusion/app-common';
import { openCheckpoint, writeOutputFile } from '@transfusion/checkpoint/node';
import { parseConfig, TransfusionError } from '@transfusion/core';
import { imageOf } from '@transfusion/data';
import { describeScores, reconstruct, scoreAutoencoder, splitImages, spread } from '@transfusion/training';
import { autoencoderStateSchema, fingerprintOf } from '@transfusion/training/node';
import { openCodec, readCodecFolder } from '@transfusion/vae';
import { changeConfig } from '../config/resolve-config.js';
import { vaeRunConfigSchema } from '../config/vae-run-config.js';
import { loadDataset } from '../data/dataset.js';
import { comparisonGrid } from '../report/comparison-grid.js';
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
  const { stored, trained } = await openCheckpoint(modelPath(model), async (reader) => {
    const stored = await readCodecFolder(reader);
    for (const name of [TRAINING_FILE, 'trainer_state.json']) {
      if (!(await reader.has(name))) continue;
      return { stored, trained: await reader.readJson(name, autoencoderStateSchema(vaeRunConfigSchema)) };
    }
    return { stored, trained: undefined };
  });
  if (!trained && !set.some((assignment) => assignment.startsWith('data.dataset='))) {
    throw new TransfusionError({
      code: 'CONFIG_DATASET',
      message: `${model} does not say what it was trained on (${TRAINING_FILE})`,
      fix: 'say which pictures to take: --set data.dataset=emoji-styles --set data.imageSize=64, for example',
    });
  }
  const { data } = changeConfig(
    vaeRunConfigSchema,
    trained?.config ?? parseConfig(vaeRunConfigSchema, {}, 'defaults'),
    set,
  );
  const { images } = await loadDataset(
    { ...data, captions: 'none' },
    { cacheFolder: join(runs, '..', '.cache', 'data'), terminal },
  );
  const { train, heldOut } = splitImages({ data }, images);
  const hasSplit = images.some(({ split }) => split !== undefined);
  const share = hasSplit ? 'by the split of' : `${100 * data.heldOutFraction} % of`;
  terminal.log(`pictures: those held out, ${share} ${data.dataset} at ${data.imageSize} x ${data.imageSize}`);
  const isOther = trained?.data && trained.data.hash !== fingerprintOf([...train, ...heldOut]).hash;
  if (isOther && !set.some((assignment) => assignment.startsWith('data.'))) {
    terminal.log('they are not those of the training any more: some that are held out now may have been trained on');
  }
  if (heldOut.length === 0) {
    throw new TransfusionError({
      code: 'DATA_NO_EXAMPLES',
      message: 'no picture is held out',
      fix: 'hold some out: --set data.heldOutFraction=0.05',
    });
  }
  const backend = await openBackend(options.backend, terminal);
  const { signal } = terminal;
  try {
    const codec = openCodec({ ...stored, backend, maxBatch: 8 });
    if (out !== undefined) {
      const few = spread(heldOut, shown);
      await writeOutputFile(out, comparisonGrid(few.map(imageOf), await reconstruct(codec, few, { signal }), 128));
      terminal.log(`wrote ${out}: originals, and below each its reconstruction`);
    }
    const scores = await withProgress({ label: 'score', total: heldOut.length }, (onProgress) =>
      scoreAutoencoder(codec, heldOut, { signal, onProgress }),
    );
    terminal.out(describeScores(scores));
    codec.dispose();
  } finally {
    await backend.dispose();
  }
}
