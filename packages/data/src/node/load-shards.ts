/** @file Shards as a dataset in memory: for what goes through all pictures, and for few of them. */
import type { CaptionedImage, ImageDataset } from '../image-dataset.js';
import type { ImageStream } from '../stream/image-stream.js';
import { type OpenImageStreamOptions, openImageStream } from './open-image-stream.js';

/** Pictures that are read together. */
const TOGETHER = 64;

export interface LoadShardsOptions extends Omit<OpenImageStreamOptions, 'onProgress'> {
  onProgress?: (done: number, total: number) => void;
}

/** All pictures of shards. @throws TransfusionError as `openImageStream` and `ImageStream.read` */
export async function loadShards({ onProgress, ...options }: LoadShardsOptions): Promise<ImageDataset> {
  const { stream } = await openImageStream(options);
  try {
    const all = stream.images.map((_, i) => i);
    const images = await readPictures(stream, all, (done) => onProgress?.(done, all.length));
    return { size: options.size, images, broken: [...stream.broken], leftOut: [] };
  } finally {
    await stream.close();
  }
}

/** Some pictures of a stream, without those that are broken, in the order of their numbers. */
export async function readPictures(
  stream: ImageStream,
  numbers: readonly number[],
  onRead?: (done: number) => void,
): Promise<CaptionedImage[]> {
  const images: CaptionedImage[] = [];
  for (let start = 0; start < numbers.length; start += TOGETHER) {
    const some = numbers.slice(start, start + TOGETHER);
    const read = stream.read(some);
    stream.prefetch(numbers.slice(start + TOGETHER, start + 2 * TOGETHER));
    (await read).forEach((pixels, i) => {
      if (pixels) images.push({ ...stream.images[some[i]], pixels });
    });
    onRead?.(Math.min(numbers.length, start + TOGETHER));
  }
  return images;
}
