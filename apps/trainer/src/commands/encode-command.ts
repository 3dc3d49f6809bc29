/** @file `trainer encode`: a folder of latents of the pictures that a configuration uses. */

import { join } from 'node:path';
import {
  type BackendChoice,
  type ConfigSources,
  openBackend,
  type Terminal,
  withProgress,
} from '@transfusion/app-common';
import { TransfusionError } from '@transfusion/core';
import { picturesOfTheirOwn, pictureViews } from '@transfusion/training';
import { encodeLatents, type LatentsFile } from '@transfusion/training/node';
import { diffusesImages } from '@transfusion/transformer';
import { resolveConfig } from '../config/resolve-config.js';
import { loadPictures } from '../data/examples.js';
import { readCodec } from '../data/run-codec.js';
import { transfusionKind } from '../kinds/transfusion.js';
import { backendOfRank, openRanks } from '../ranks.js';

export interface EncodeCommandOptions extends ConfigSources {
  out: string;
  /** Beside which decoded pictures are kept. */
  runs: string;
  backend: BackendChoice;
}

export async function encodeCommand(options: EncodeCommandOptions, terminal: Terminal): Promise<void> {
  const { out, runs } = options;
  const config = await resolveConfig(transfusionKind, options);
  if (config.codec === null) {
    throw new TransfusionError({
      code: 'CONFIG_CODEC',
      message: 'codec is not set: pixels have no latents to encode',
      fix: 'say which autoencoder: --set codec=emoji-64-kl, or a folder',
    });
  }
  if (!diffusesImages(config.model)) {
    throw new TransfusionError({
      code: 'CONFIG_IMAGES',
      message: `model.images is ${config.model.images}: such a model takes no latents; codes are computed when a run starts`,
      fix: 'leave the encoding out, and train',
    });
  }
  const codec = await readCodec(config.codec);
  const cacheFolder = join(runs, '..', '.cache', 'data');
  const data = { ...config.data, captions: 'none' as const };
  const loaded = await loadPictures({ data }, { cacheFolder, terminal });
  const withoutViews = [...loaded.images, ...picturesOfTheirOwn(loaded.documents, loaded.images)];
  // Of all that may be read: which of them a run holds out, or leaves out for its captions, is known when it has read these.
  const { views: count } = config.data;
  const { pictures: views } = pictureViews({ examples: loaded.images, documents: loaded.documents, count });
  const images = [...withoutViews, ...views];
  if (images.length === 0) {
    throw new TransfusionError({
      code: 'CONFIG_DATA',
      message: 'data.dataset is none: there are no pictures to encode',
      fix: 'choose a dataset of pictures: --set data.dataset=folder --set data.folder=PATH',
    });
  }
  const communicator = await openRanks(terminal);
  const backend = await openBackend(backendOfRank(options.backend, communicator), terminal);
  try {
    const { signal } = terminal;
    // Both flips, whatever the run does: a folder serves runs with and without mirrored pictures. Documents are never mirrored.
    const given = { backend, codec, images, flip: loaded.images.length > 0, folder: out, signal, communicator };
    const result = await withProgress({ label: 'encode', total: images.length }, (onProgress) =>
      encodeLatents({ ...given, onProgress }),
    );
    if (result.reused > 0) terminal.log(`${result.reused} files were there already`);
    if (result.file) terminal.out(summary(out, result.file));
    else terminal.log('stopped; the same command goes on from here');
  } finally {
    await backend.dispose();
  }
}

function summary(out: string, { images, variants, shape, autoencoder }: LatentsFile): string {
  const scale =
    autoencoder._class_name === 'VQModel'
      ? `scale ${autoencoder.scaling_factor.toFixed(4)}`
      : `deviations ${autoencoder.latents_std!.map((each) => each.toFixed(2)).join(' ')}`;
  return `${out}: latents of ${images} pictures${variants === 2 ? ' and their mirror images' : ''}, ${shape.width} x ${shape.height} x ${shape.channels}; ${scale}
Train on them with the same configuration and --set data.latents=${out}`;
}
