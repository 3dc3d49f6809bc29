/** @file The pictures that a run is configured to use. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createProgress, readImage, type Terminal } from '@transfusion/app-common';
import { demoEmoji, type ImageDataset } from '@transfusion/data';
import {
  type EmojiStyle,
  type LoadImagesOptions,
  loadEmoji,
  loadFashionMnist,
  loadImageFolder,
} from '@transfusion/data/node';
import { TransfusionError } from '@transfusion/tensor';
import type { z } from 'zod';
import type { imageDataFields } from '../config/shared-fields.js';

export type ImageDataConfig = { [Key in keyof typeof imageDataFields]: z.output<(typeof imageDataFields)[Key]> };

export interface LoadDatasetOptions {
  cacheFolder: string;
  /** Told what was skipped; its signal stops the reading. */
  terminal?: Pick<Terminal, 'log' | 'signal'>;
}

const require = createRequire(import.meta.url);
/** Where npm put a package. */
const packageFolder = (name: string) => dirname(require.resolve(`${name}/package.json`));

function emojiStyles(): Record<'twitter' | 'google' | 'openmoji' | 'fluent', EmojiStyle> {
  return {
    twitter: {
      folder: join(packageFolder('emoji-datasource-twitter'), 'img', 'twitter', '64'),
      words: 'twitter style',
    },
    google: { folder: join(packageFolder('emoji-datasource-google'), 'img', 'google', '64'), words: 'google style' },
    openmoji: { folder: join(packageFolder('openmoji'), 'color', 'svg'), words: 'openmoji style' },
    fluent: { folder: join(packageFolder('@lobehub/fluent-emoji-3d'), 'assets'), words: '3d style' },
  };
}

/**
 * Loads the configured pictures; broken files are named and skipped.
 * @throws TransfusionError DATA_*
 */
export async function loadDataset(config: ImageDataConfig, options: LoadDatasetOptions): Promise<ImageDataset> {
  const { terminal } = options;
  let progress: ReturnType<typeof createProgress> | undefined;
  const onProgress = (done: number, total: number) => {
    terminal?.signal.throwIfAborted();
    progress ??= createProgress({ label: 'read pictures', total });
    progress.update(done);
  };
  const dataset = await load(config, {
    size: config.imageSize,
    count: config.count ?? undefined,
    allowBroken: config.allowBroken,
    cacheFolder: options.cacheFolder,
    readImage,
    onProgress,
  }).finally(() => progress?.stop());
  const { broken } = dataset;
  for (const { path, reason } of broken.slice(0, 5))
    terminal?.log(`skipped ${reason.includes(path) ? '' : `${path}: `}${reason}`);
  if (broken.length > 5) terminal?.log(`skipped ${broken.length} unreadable pictures in all`);
  return dataset;
}

async function load(config: ImageDataConfig, options: LoadImagesOptions): Promise<ImageDataset> {
  switch (config.dataset) {
    case 'emoji':
    case 'emoji-styles': {
      const { twitter, ...others } = emojiStyles();
      const styles = config.dataset === 'emoji' ? [{ folder: twitter.folder }] : [twitter, ...Object.values(others)];
      const hexcodes = config.demoSet === null ? {} : { hexcodes: demoEmoji(config.demoSet) };
      return loadEmoji({
        styles,
        captionsFile: require.resolve('emojibase-data/en/data.json'),
        ...hexcodes,
        ...options,
      });
    }
    case 'fashion-mnist':
      return loadFashionMnist({ folder: folderOf(config), ...options });
    case 'folder':
      return loadImageFolder({ folder: folderOf(config), ...options });
  }
}

function folderOf({ dataset, folder }: ImageDataConfig): string {
  if (folder !== null) return folder;
  throw new TransfusionError({
    code: 'CONFIG_DATA_FOLDER',
    message: `data.dataset is ${dataset}, and data.folder is not set`,
    fix: 'say where it is: --set data.folder=PATH',
  });
}
