/** @file What a run of `trainer train` is configured to learn from: pictures, texts, and a tokenizer for both. */

import { readFile } from 'node:fs/promises';
import { decodeText } from '@transfusion/checkpoint';
import { reason, TransfusionError } from '@transfusion/core';
import {
  type CaptionedImage,
  distinctSizes,
  type ImageSize,
  imageSizeToken,
  isSameSize,
  type SourceDocument,
  type TextDocument,
} from '@transfusion/data';
import { Tokenizer } from '@transfusion/tokenizer';
import { trainByteLevelBpe } from '@transfusion/tokenizer/train';
import { announcesSizes, imageSizesOf, type RunConfig } from '../config/run-config.js';
import { type LoadDatasetOptions, loadDataset, loadEmojiEdits, loadMixedDocuments, loadPlainTexts } from './dataset.js';
import { openStreamedData, type StreamedData } from './streamed-data.js';

export interface Examples {
  /** In the dataset's order. */
  images: CaptionedImage[];
  /** Of texts and images in any order. */
  documents: SourceDocument[];
  texts: TextDocument[];
  tokenizer: Tokenizer;
  /** Of shards: what is read when its batch comes. `images` are then those that are evaluated or shown. */
  streamed?: StreamedData;
}

/** The pictures with captions, and the documents, that a run is configured to learn from. @throws TransfusionError DATA_* */
export async function loadPictures(
  { data }: Pick<RunConfig, 'data'>,
  options: LoadDatasetOptions,
): Promise<Pick<Examples, 'images' | 'documents'>> {
  const { dataset, documents: path } = data;
  const mixed = async () =>
    path === null ? [] : loadMixedDocuments(path, { ...data, sizes: imageSizesOf(data) }, options);
  if (dataset === 'none') return { images: [], documents: await mixed() };
  if (dataset === 'emoji-edits' || dataset === 'emoji-all') {
    const { images, documents } = await loadEmojiEdits(data, options);
    return { images: dataset === 'emoji-all' ? images : [], documents: [...documents, ...(await mixed())] };
  }
  const { images } = await loadDataset({ ...data, dataset, sizes: imageSizesOf(data) }, options);
  return { images, documents: await mixed() };
}

/**
 * Loads the configured pictures, documents and texts, and trains (or loads) the tokenizer on them.
 * @param options.tokenizer the tokenizer of the run that is resumed
 * @throws TransfusionError DATA_*, CONFIG_DATA; TokenizerError
 */
export async function loadExamples(
  config: RunConfig,
  options: LoadDatasetOptions & { tokenizer?: Tokenizer },
): Promise<Examples> {
  const { dataset, documents: mixed, texts: path } = config.data;
  if (dataset === 'none' && mixed === null && path === null) {
    throw new TransfusionError({
      code: 'CONFIG_DATA',
      message: 'data.dataset is none, and neither data.documents nor data.texts is set: there is nothing to train on',
      fix: 'say where texts are: --set data.texts=PATH, or documents: --set data.documents=PATH, or choose a dataset of pictures',
    });
  }
  const streamed = isStreamed(config) ? await openStreamedData(config, options) : undefined;
  const { images, documents } = streamed
    ? { images: streamed.shown, documents: [] }
    : await loadPictures(config, options);
  const texts = path === null ? [] : await loadPlainTexts(path, config.data, options);
  const all = [
    ...(streamed?.stream.images ?? images).flatMap(({ caption, otherCaptions = [] }) => [
      ...(caption === undefined ? [] : [caption]),
      ...otherCaptions,
    ]),
    ...documents.flatMap(({ parts }) => parts.flatMap((part) => (part.kind === 'text' ? part.text : []))),
    ...texts.map(({ text }) => text),
  ];
  if (options.tokenizer) return { images, documents, texts, tokenizer: options.tokenizer, streamed };
  const specialTokens = announcesSizes(config.data)
    ? occurringSizes({ images, documents }, imageSizesOf(config.data)).map(imageSizeToken)
    : [];
  const tokenizer = await makeTokenizer(config, { texts: all, specialTokens }, options.terminal);
  return { images, documents, texts, tokenizer, streamed };
}

/** Whether pictures are read when their batch comes. */
export function isStreamed({ data }: Pick<RunConfig, 'data'>): boolean {
  return data.dataset === 'shards' && data.streamed;
}

/** The sizes that pictures have, in the order of `sizes` where these are given. */
export function occurringSizes(
  { images, documents }: Pick<Examples, 'images' | 'documents'>,
  sizes?: readonly ImageSize[],
): ImageSize[] {
  const inDocuments = documents.flatMap(({ parts }) => parts.flatMap((part) => (part.kind === 'image' ? part : [])));
  const present = distinctSizes([...images, ...inDocuments]);
  return sizes?.filter((size) => present.some((other) => isSameSize(size, other))) ?? present;
}

/** Characters from which training takes long enough to be told. */
const MANY_CHARACTERS = 1_000_000;

async function makeTokenizer(
  { tokenizer }: RunConfig,
  { texts, specialTokens }: { texts: string[]; specialTokens: readonly string[] },
  terminal: LoadDatasetOptions['terminal'],
): Promise<Tokenizer> {
  const { file } = tokenizer;
  if (file !== null) return tokenizerOf(file, specialTokens);
  const characters = texts.reduce((sum, { length }) => sum + length, 0);
  if (characters > MANY_CHARACTERS)
    terminal?.log(`training the tokenizer on ${characters.toLocaleString('en')} characters`);
  const { vocabularySize } = tokenizer;
  const json = await trainByteLevelBpe({ texts, vocabularySize, signal: terminal?.signal });
  return new Tokenizer(json, { specialTokens });
}

/** @throws TransfusionError CONFIG_FILE, TOKENIZER_* */
export async function tokenizerOf(file: string, specialTokens: readonly string[] = []): Promise<Tokenizer> {
  return new Tokenizer(await readTokenizer(file), { where: file, specialTokens });
}

async function readTokenizer(file: string): Promise<string> {
  try {
    return decodeText(await readFile(file), file);
  } catch (error) {
    if (TransfusionError.isInstance(error)) throw error;
    throw new TransfusionError({
      code: 'CONFIG_FILE',
      message: `tokenizer.file: cannot read ${file}: ${reason(error)}`,
      fix: "give a tokenizer.json, or null to train one on the run's captions and texts",
      cause: error,
    });
  }
}
