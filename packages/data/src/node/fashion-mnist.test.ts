import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { splitDataset } from '../index.js';
import { loadFashionMnist } from './index.js';

const SIDE = 28;

function idxOf(dims: number[], data: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * dims.length);
  header.set([0, 0, 8, dims.length]);
  dims.forEach((dim, axis) => header.writeUInt32BE(dim, 4 + 4 * axis));
  return Buffer.concat([header, data]);
}

/** Picture i is black but for its upper left quarter, which is of brightness i. */
function quarters(count: number): Uint8Array {
  return Uint8Array.from({ length: count * SIDE * SIDE }, (_, at) => {
    const [row, column] = [Math.floor(at / SIDE) % SIDE, at % SIDE];
    return row < SIDE / 2 && column < SIDE / 2 ? Math.floor(at / (SIDE * SIDE)) : 0;
  });
}

let folder: string;
const write = (name: string, bytes: Uint8Array) => writeFile(join(folder, name), bytes);
const trainImages = idxOf([20, SIDE, SIDE], quarters(20));
const trainLabels = idxOf(
  [20],
  Uint8Array.from({ length: 20 }, (_, i) => i % 10),
);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-fashion-'));
  await write('train-images-idx3-ubyte.gz', gzipSync(trainImages));
  await write('train-labels-idx1-ubyte', trainLabels);
  await write('t10k-images-idx3-ubyte', idxOf([6, SIDE, SIDE], quarters(6)));
  await write('t10k-labels-idx1-ubyte.gz', gzipSync(idxOf([6], Uint8Array.of(9, 8, 7, 6, 5, 4))));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('loadFashionMnist', () => {
  test('pictures, the names of their classes, and the published split', async () => {
    const dataset = await loadFashionMnist({ folder, size: 2 });
    expect([dataset.size, dataset.broken, dataset.images.length]).toEqual([2, [], 26]);
    const { train, heldOut } = splitDataset({ images: dataset.images, fraction: 0.5, seed: 1 });
    expect(train.slice(10).map(({ caption }) => caption)).toEqual([
      ...['t-shirt', 'trouser', 'pullover', 'dress', 'coat'],
      ...['sandal', 'shirt', 'sneaker', 'bag', 'ankle boot'],
    ]);
    expect(heldOut.map(({ caption }) => caption)).toEqual(['ankle boot', 'bag', 'sneaker', 'shirt', 'sandal', 'coat']);
    const quarter = (value: number) => [value, value, value, ...new Array(9).fill(0)];
    train.forEach(({ pixels }, i) => expect([...pixels]).toEqual(quarter(i)));
    heldOut.forEach(({ pixels }, i) => expect([...pixels]).toEqual(quarter(i)));
    expect(new Set(dataset.images.map(({ group }) => group)).size).toBe(26);
    for (const { width, height } of dataset.images) expect([width, height]).toEqual([2, 2]);
  });

  test('at their own size they are as published, in all three channels', async () => {
    const { images } = await loadFashionMnist({ folder, size: SIDE });
    const published = quarters(20).subarray(19 * SIDE * SIDE);
    expect([...images[19].pixels]).toEqual([...published].flatMap((value) => [value, value, value]));
  });

  test.each([
    [1, 1, 1],
    [10, 10, 3],
    [11, 11, 4],
    [20, 20, 6],
    [99, 20, 6],
  ])('a count of %i gives %i pictures to train on and %i held out', async (count, train, heldOut) => {
    const { images } = await loadFashionMnist({ folder, size: 2, count });
    expect(images.filter(({ split }) => split === 'train')).toHaveLength(train);
    expect(images.filter(({ split }) => split === 'heldOut')).toHaveLength(heldOut);
    const all = (await loadFashionMnist({ folder, size: 2 })).images;
    expect(images).toEqual([...all.slice(0, train), ...all.slice(20, 20 + heldOut)]);
  });

  test('finds the files where dpkg -x puts them', async () => {
    const expected = await loadFashionMnist({ folder, size: 2 });
    const unpacked = join(folder, 'unpacked');
    const inside = join(unpacked, 'usr', 'share', 'datasets', 'fashion-mnist');
    await mkdir(inside, { recursive: true });
    await write('unpacked/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte', trainImages);
    await write('unpacked/usr/share/datasets/fashion-mnist/train-labels-idx1-ubyte', trainLabels);
    const test10k = {
      images: idxOf([6, SIDE, SIDE], quarters(6)),
      labels: idxOf([6], Uint8Array.of(9, 8, 7, 6, 5, 4)),
    };
    await write('unpacked/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte', test10k.images);
    await expect(loadFashionMnist({ folder: unpacked, size: 2 })).rejects.toThrow(/no t10k-labels-idx1-ubyte /);
    await write('unpacked/usr/share/datasets/fashion-mnist/t10k-labels-idx1-ubyte', test10k.labels);
    expect(await loadFashionMnist({ folder: unpacked, size: 2 })).toEqual(expected);
  });

  test('a second load reads the cache; other pictures or sizes do not', async () => {
    const cacheFolder = join(folder, 'cache');
    const progress = jest.fn();
    const load = (size = 2, count?: number) =>
      loadFashionMnist({ folder, size, count, cacheFolder, onProgress: progress });
    const first = await load();
    expect(progress.mock.calls).toEqual(Array.from({ length: 26 }, (_, i) => [i + 1, 26]));
    expect(await load()).toEqual(first);
    expect(progress).toHaveBeenCalledTimes(26);
    await load(3);
    expect((await load(2, 10)).images).toHaveLength(13);
    await write('t10k-images-idx3-ubyte', idxOf([6, SIDE, SIDE], quarters(6).fill(77)));
    expect((await load()).images[20].pixels[0]).toBe(77);
    expect(progress).toHaveBeenCalledTimes(26 + 26 + 13 + 26);
    expect(await readdir(cacheFolder)).toHaveLength(4);
  });

  test('says which file is missing, and how to fetch it', async () => {
    await rm(join(folder, 'train-images-idx3-ubyte.gz'));
    await expect(loadFashionMnist({ folder, size: 2 })).rejects.toThrow(
      /DATA_UNREADABLE: .* has no train-images-idx3-ubyte and no train-images-idx3-ubyte\.gz[\s\S]*dpkg -x/,
    );
    await mkdir(join(folder, 'train-images-idx3-ubyte'));
    await expect(loadFashionMnist({ folder, size: 2 })).rejects.toThrow(/DATA_UNREADABLE: .*it is a folder/);
  });

  test.each<[string, string, Uint8Array, RegExp]>([
    ['a damaged file', 't10k-images-idx3-ubyte', trainImages.subarray(0, 99), /t10k-images-idx3-ubyte: .*it has 99/],
    ['another size', 't10k-images-idx3-ubyte', idxOf([1, 2, 3], new Uint8Array(6)), /1 pictures of 3 x 2, .* 28 x 28/],
    ['no pictures', 't10k-images-idx3-ubyte', idxOf([0, SIDE, SIDE], new Uint8Array(0)), /has 0 pictures/],
    ['a label too few', 'train-labels-idx1-ubyte', idxOf([19], new Uint8Array(19)), /19 labels, .* has 20 pictures/],
    ['no such label', 'train-labels-idx1-ubyte', idxOf([20], new Uint8Array(20).fill(10)), /label 0 is 10, .*0 to 9/],
    ['swapped files', 'train-labels-idx1-ubyte', trainImages, /0x00000803, expected 0x00000801/],
  ])('refuses: %s', async (_, name, bytes, message) => {
    await write(name, bytes);
    const error = await loadFashionMnist({ folder, size: 2 }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'DATA_IDX_FORMAT', message: expect.stringMatching(message) });
    expect(error).toMatchObject({ message: expect.stringContaining(join(folder, name)) });
  });
});
