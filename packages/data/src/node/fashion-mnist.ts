/** @file Fashion-MNIST: 70,000 gray pictures of clothes in ten classes, as its authors publish it (MIT). */
import { createHash } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { TransfusionError } from '@transfusion/core';
import { resizeImage } from '../image/resize.js';
import { fromBytes, toBytes } from '../image/rgb-image.js';
import type { ImageDataset } from '../image-dataset.js';
import { parseIdx } from './idx.js';
import { readImageCache, writeImageCache } from './image-cache.js';
import type { LoadImagesOptions } from './load-images.js';
import { readInput } from './read-input.js';

/** Raised when resizing changes, so that old caches are not read. */
const CACHE_VERSION = 1;
/** Side of the published pictures. */
const SIDE = 28;
/** Where the Debian package has the files. */
const DEBIAN_FOLDER = join('usr', 'share', 'datasets', 'fashion-mnist');
const FETCH = 'apt-get download dataset-fashion-mnist && dpkg -x dataset-fashion-mnist_*.deb fashion-mnist';
/** By label. */
const CAPTIONS = [
  ...['t-shirt', 'trouser', 'pullover', 'dress', 'coat'],
  ...['sandal', 'shirt', 'sneaker', 'bag', 'ankle boot'],
];

export interface FashionMnistOptions extends Pick<LoadImagesOptions, 'size' | 'count' | 'cacheFolder' | 'onProgress'> {
  /**
   * Has `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each as
   * it is or as `.gz`; or is where `dpkg -x` unpacked Debian's dataset-fashion-mnist.
   */
  folder: string;
}

/**
 * Loads Fashion-MNIST with the names of its classes as captions, split as published: 60,000 pictures to train on and 10,000
 * held out. `count` is of the former; as large a share of the latter is taken.
 *
 * @throws TransfusionError DATA_UNREADABLE, DATA_IDX_FORMAT, DATA_CACHE_UNWRITABLE
 */
export async function loadFashionMnist(options: FashionMnistOptions): Promise<ImageDataset> {
  const { folder, size, count = Number.POSITIVE_INFINITY } = options;
  const train = await readPart(folder, 'train');
  const heldOut = await readPart(folder, 't10k');
  const share = Math.min(1, count / train.labels.length);
  const taken = [
    { ...takeFirst(train, Math.min(count, train.labels.length)), name: 'train', split: 'train' as const },
    { ...takeFirst(heldOut, Math.ceil(share * heldOut.labels.length)), name: 't10k', split: 'heldOut' as const },
  ];
  const pixels = await resizeAll(
    taken.map((part) => part.pixels),
    options,
  );
  const described = taken.flatMap(({ labels, name, split }) =>
    Array.from(labels, (label, i) => ({
      caption: CAPTIONS[label],
      name: `picture ${i} of ${name}`,
      group: `${name}/${i}`,
      split,
    })),
  );
  const images = described.map((image, i) => ({ ...image, width: size, height: size, pixels: pixels[i] }));
  return { size, images, broken: [], leftOut: [] };
}

interface Part {
  /** [n, 28, 28], 0 is black. */
  pixels: Uint8Array;
  /** [n], from 0 to 9. */
  labels: Uint8Array;
}

async function readPart(folder: string, name: 'train' | 't10k'): Promise<Part> {
  const images = await readIdx(folder, `${name}-images-idx3-ubyte`, 3);
  const labels = await readIdx(folder, `${name}-labels-idx1-ubyte`, 1);
  const [count, height, width] = images.dims;
  if (count === 0 || height !== SIDE || width !== SIDE) {
    throw formatError(
      `${images.path} has ${count} pictures of ${width} x ${height}, expected some of ${SIDE} x ${SIDE}`,
    );
  }
  if (labels.data.length !== count) {
    throw formatError(`${labels.path} has ${labels.data.length} labels, ${images.path} has ${count} pictures`);
  }
  const wrong = labels.data.findIndex((label) => label >= CAPTIONS.length);
  if (wrong >= 0) {
    throw formatError(`${labels.path}: label ${wrong} is ${labels.data[wrong]}, expected 0 to ${CAPTIONS.length - 1}`);
  }
  return { pixels: images.data, labels: labels.data };
}

async function readIdx(folder: string, name: string, rank: number) {
  const path = await findFile(folder, name);
  return { path, ...parseIdx(await readInput('data file', path, () => readFile(path)), { where: path, rank }) };
}

async function findFile(folder: string, name: string): Promise<string> {
  for (const place of [folder, join(folder, DEBIAN_FOLDER)]) {
    for (const path of [join(place, name), join(place, `${name}.gz`)]) {
      const exists = await access(path).then(
        () => true,
        () => false,
      );
      if (exists) return path;
    }
  }
  throw new TransfusionError({
    code: 'DATA_UNREADABLE',
    message: `${folder} has no ${name} and no ${name}.gz, nor has its ${DEBIAN_FOLDER}`,
    fix: `fetch Fashion-MNIST, for example by: ${FETCH}`,
  });
}

function takeFirst({ pixels, labels }: Part, count: number): Part {
  return { pixels: pixels.subarray(0, count * SIDE * SIDE), labels: labels.subarray(0, count) };
}

/** parts, each [n, 28, 28] -> of each picture [size, size, 3], in order. */
async function resizeAll(parts: Uint8Array[], options: FashionMnistOptions): Promise<Uint8Array[]> {
  const { size, cacheFolder, onProgress } = options;
  const length = SIDE * SIDE;
  const gray = parts.flatMap((part) =>
    Array.from({ length: part.length / length }, (_, i) => part.subarray(i * length, (i + 1) * length)),
  );
  const hash = createHash('sha256').update(`${CACHE_VERSION} ${size}`);
  for (const part of parts) hash.update(part);
  const key = hash.digest('hex');
  const cacheFile = cacheFolder && join(cacheFolder, `fashion-mnist-${size}-${key.slice(0, 16)}.bin`);
  const sizes = [{ width: size, height: size }];
  const cached = cacheFile ? await readImageCache(cacheFile, key, { count: gray.length, sizes }) : undefined;
  if (cached) return cached.images.flatMap((image) => image?.pixels ?? []);
  const pixels: Uint8Array[] = [];
  for (const picture of gray) {
    pixels.push(resizeGray(picture, size));
    if (pixels.length % 256 === 0) await setImmediate();
    onProgress?.(pixels.length, gray.length);
  }
  if (cacheFile) {
    const images = pixels.map((each) => ({ ...sizes[0], pixels: each }));
    await writeImageCache(cacheFile, key, { images, broken: [], sizes });
  }
  return pixels;
}

function resizeGray(picture: Uint8Array, size: number): Uint8Array {
  const rgb = new Uint8Array(picture.length * 3);
  for (let i = 0; i < rgb.length; i++) rgb[i] = picture[Math.floor(i / 3)];
  return toBytes(resizeImage({ width: SIDE, height: SIDE, data: fromBytes(rgb) }, size, size).data);
}

function formatError(message: string): TransfusionError {
  return new TransfusionError({ code: 'DATA_IDX_FORMAT', message, fix: `fetch Fashion-MNIST again: ${FETCH}` });
}
