/** @file The shards that a run is configured to learn from, with the few pictures of them that are held in memory. */
import { type CaptionedImage, type ImageStream, splitDataset } from '@transfusion/data';
import { openImageStream, readPictures } from '@transfusion/data/node';
import { spread } from '@transfusion/training';
import type { RunConfig } from '../config/run-config.js';
import { type LoadDatasetOptions, withProgress } from './dataset.js';

/** Held-out pictures that are evaluated: more would make memory grow with the dataset. */
const MOST_HELD_OUT = 512;
/** Pictures of those trained on that are shown, and whose losses are taken. */
const SHOWN = 64;
/** Broken samples that are named as they turn up. */
const NAMED = 5;

export interface StreamedData {
  stream: ImageStream;
  /** Numbers of the stream's images that are trained on. */
  images: number[];
  /** Held-out pictures and some of the others, spread over all, each with its split. */
  shown: CaptionedImage[];
  /** Of the shards and their samples. */
  hash: string;
}

/** @throws TransfusionError DATA_* */
export async function openStreamedData(
  { data }: Pick<RunConfig, 'data'>,
  { cacheFolder, terminal }: LoadDatasetOptions,
): Promise<StreamedData> {
  const {
    shards,
    captionField,
    imageSize: size,
    captions,
    otherCaptions,
    count,
    allowBroken,
    heldOutFraction,
    heldOutBy,
  } = data;
  const { stream, hash } = await withProgress('read shards', terminal, (onProgress) =>
    openImageStream({
      ...{ shards: shards ?? [], size, captions, count: count ?? undefined, allowBroken, cacheFolder },
      ...{ otherCaptions: otherCaptions > 0, captionField: captionField ?? undefined, onProgress },
      onBroken({ reason }, broken) {
        if (broken <= NAMED) terminal?.log(`skipped: ${reason}`);
        if (broken === NAMED) terminal?.log('further samples that are skipped are counted, and not named');
      },
    }),
  );
  if (stream.broken.length > 0) {
    const [{ path, reason }] = stream.broken;
    terminal?.log(`${stream.broken.length} samples are left out, the first is ${path}: ${reason}`);
  }
  const numbered = stream.images.map(({ group, split }, number) => ({ group, split, number }));
  const by = heldOutBy === 'name' ? 'name' : 'list';
  const { train, heldOut } = splitDataset({ images: numbered, fraction: heldOutFraction, by });
  const numbersOf = (some: readonly { number: number }[]) => some.map(({ number }) => number);
  const read = async (some: readonly { number: number }[], split: 'train' | 'heldOut') =>
    (await readPictures(stream, numbersOf(some))).map((image) => ({ ...image, split }));
  const evaluated = spread(heldOut, MOST_HELD_OUT);
  if (evaluated.length < heldOut.length)
    terminal?.log(`${evaluated.length} of ${heldOut.length} held-out pictures are evaluated, spread over all of them`);
  const shown = [...(await read(spread(train, SHOWN), 'train')), ...(await read(evaluated, 'heldOut'))];
  return { stream, images: numbersOf(train), shown, hash };
}
