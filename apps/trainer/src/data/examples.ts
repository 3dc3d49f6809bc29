/** @file What a run of `trainer train` is configured to learn from: pictures, texts, and a tokenizer for both. */

import { readFile } from 'node:fs/promises';
import { decodeText } from '@transfusion/checkpoint';
import { TransfusionError } from '@transfusion/core';
import type { CaptionedImage, TextDocument } from '@transfusion/data';
import { Tokenizer } from '@transfusion/tokenizer';
import { trainByteLevelBpe } from '@transfusion/tokenizer/train';
import type { RunConfig } from '../config/run-config.js';
import { type LoadDatasetOptions, loadDataset, loadPlainTexts } from './dataset.js';

export interface Examples {
  /** In the dataset's order. */
  images: CaptionedImage[];
  texts: TextDocument[];
  tokenizer: Tokenizer;
}

/**
 * Loads the configured pictures and texts, and trains (or loads) the tokenizer on them.
 * @param options.tokenizer the tokenizer of the run that is resumed
 * @throws TransfusionError DATA_*, CONFIG_DATA; TokenizerError
 */
export async function loadExamples(
  config: RunConfig,
  options: LoadDatasetOptions & { tokenizer?: Tokenizer },
): Promise<Examples> {
  const { dataset, texts: path } = config.data;
  if (dataset === 'none' && path === null) {
    throw new TransfusionError({
      code: 'CONFIG_DATA',
      message: 'data.dataset is none, and data.texts is not set: there is nothing to train on',
      fix: 'say where texts are: --set data.texts=PATH, or choose a dataset of pictures',
    });
  }
  const { images } = dataset === 'none' ? { images: [] } : await loadDataset({ ...config.data, dataset }, options);
  const texts = path === null ? [] : await loadPlainTexts(path, config.data, options);
  const all = [...images.flatMap(({ caption }) => caption ?? []), ...texts.map(({ text }) => text)];
  return { images, texts, tokenizer: options.tokenizer ?? (await makeTokenizer(config, all, options.terminal)) };
}

/** Characters from which training takes long enough to be told. */
const MANY_CHARACTERS = 1_000_000;

async function makeTokenizer(
  { tokenizer }: RunConfig,
  texts: string[],
  terminal: LoadDatasetOptions['terminal'],
): Promise<Tokenizer> {
  const { file } = tokenizer;
  if (file !== null) return new Tokenizer(await readTokenizer(file), { where: file });
  const characters = texts.reduce((sum, { length }) => sum + length, 0);
  if (characters > MANY_CHARACTERS)
    terminal?.log(`training the tokenizer on ${characters.toLocaleString('en')} characters`);
  const { vocabularySize } = tokenizer;
  return new Tokenizer(await trainByteLevelBpe({ texts, vocabularySize, signal: terminal?.signal }));
}

async function readTokenizer(file: string): Promise<string> {
  try {
    return decodeText(await readFile(file), file);
  } catch (error) {
    if (TransfusionError.isInstance(error)) throw error;
    throw new TransfusionError({
      code: 'CONFIG_FILE',
      message: `tokenizer.file: cannot read ${file}: ${error instanceof Error ? error.message : error}`,
      fix: "give a tokenizer.json, or null to train one on the run's captions and texts",
      cause: error,
    });
  }
}
