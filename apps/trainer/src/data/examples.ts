/** @file The examples of a run: images as patches, captions as token ids, training and held-out. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { demoEmoji, patchify, type RgbImage, splitHeldOut } from '@transfusion/data';
import { loadEmojiDataset } from '@transfusion/data/node';
import { TransfusionError } from '@transfusion/tensor';
import { Tokenizer } from '@transfusion/tokenizer';
import { trainByteLevelBpe } from '@transfusion/tokenizer/train';
import type { ImageCodec } from '@transfusion/vae';
import type { RunConfig } from '../config/run-config.js';

export interface Example {
  caption: string;
  captionIds: number[];
  image: RgbImage;
  /** Clean latents, patchified: [patches, patch values]. */
  patches: Float32Array;
}

export interface Examples {
  train: Example[];
  heldOut: Example[];
  tokenizer: Tokenizer;
}

/** Where npm put the emoji packages. */
function emojiSources(): { imagesFolder: string; captionsFile: string } {
  const require = createRequire(import.meta.url);
  const pictures = dirname(require.resolve('emoji-datasource-twitter/package.json'));
  return {
    imagesFolder: join(pictures, 'img', 'twitter', '64'),
    captionsFile: require.resolve('emojibase-data/en/data.json'),
  };
}

/**
 * Loads the configured dataset, trains (or loads) the tokenizer on its captions, encodes and patchifies.
 * @param tokenizer the tokenizer of the run that is resumed
 */
export async function loadExamples(
  config: RunConfig,
  codec: ImageCodec,
  options: { cacheFolder: string; tokenizer?: Tokenizer },
): Promise<Examples> {
  const { imageSize: size, demoSet, count, heldOutFraction } = config.data;
  const emoji = await loadEmojiDataset({
    ...emojiSources(),
    size,
    cacheFolder: options.cacheFolder,
    ...(demoSet === null ? {} : { hexcodes: demoEmoji(demoSet) }),
    ...(count === null ? {} : { count }),
  });
  const tokenizer =
    options.tokenizer ??
    (await makeTokenizer(
      config,
      emoji.map(({ caption }) => caption),
    ));
  const latents = await codec.encode({ height: size, width: size, images: emoji.map(({ image }) => image.data) });
  const shape = codec.latentShape({ height: size, width: size });
  const examples = emoji.map(
    ({ caption, image }, i): Example => ({
      caption,
      captionIds: tokenizer.encode(caption),
      image,
      patches: patchify({ image: latents[i], ...shape, patchSize: config.patchSize }),
    }),
  );
  // The demo set is learned by heart; there is nothing to hold out.
  const fraction = demoSet === null ? heldOutFraction : 0;
  const split = splitHeldOut({ count: examples.length, fraction, seed: config.seed });
  return { train: split.train.map((i) => examples[i]), heldOut: split.heldOut.map((i) => examples[i]), tokenizer };
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
