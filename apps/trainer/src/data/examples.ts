/** @file The examples of a run: pictures and captions as token ids, training and held-out. */
import { readFile } from 'node:fs/promises';
import type { CaptionedImage } from '@transfusion/data';
import { TransfusionError } from '@transfusion/tensor';
import { Tokenizer } from '@transfusion/tokenizer';
import { trainByteLevelBpe } from '@transfusion/tokenizer/train';
import type { RunConfig } from '../config/run-config.js';
import { type LoadDatasetOptions, loadDataset } from './dataset.js';

export interface Example extends CaptionedImage {
  captionIds: number[];
}

/**
 * Loads the configured dataset, in its order, and trains (or loads) the tokenizer on its captions.
 * @param options.tokenizer the tokenizer of the run that is resumed
 */
export async function loadExamples(
  config: RunConfig,
  options: LoadDatasetOptions & { tokenizer?: Tokenizer },
): Promise<{ examples: Example[]; tokenizer: Tokenizer }> {
  const { images } = await loadDataset(config.data, options);
  const captions = images.map(({ caption }) => caption);
  const tokenizer = options.tokenizer ?? (await makeTokenizer(config, captions));
  const examples = images.map((image): Example => ({ ...image, captionIds: tokenizer.encode(image.caption) }));
  return { examples, tokenizer };
}

async function makeTokenizer({ tokenizer }: RunConfig, captions: string[]): Promise<Tokenizer> {
  const { file } = tokenizer;
  if (file !== null) return new Tokenizer(await readTokenizer(file), { where: file });
  return new Tokenizer(await trainByteLevelBpe({ texts: captions, vocabularySize: tokenizer.vocabularySize }));
}

async function readTokenizer(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new TransfusionError({
      code: 'CONFIG_FILE',
      message: `tokenizer.file: cannot read ${file}: ${error instanceof Error ? error.message : error}`,
      fix: "give a tokenizer.json, or null to train one on the run's captions",
      cause: error,
    });
  }
}
