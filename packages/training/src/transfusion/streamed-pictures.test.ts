/** @file Batches of pictures that are read when their step comes are those of pictures in memory. */

import { TransfusionError } from '@transfusion/core';
import { type CaptionedImage, ImageStream, memorySource, openShard } from '@transfusion/data';
import type { Backend } from '@transfusion/tensor';
import { Tokenizer } from '@transfusion/tokenizer';
import { openWasm } from '@transfusion/wasm';
import { type TransfusionTrainingInput, transfusionTrainingConfig } from './config.js';
import { openTransfusionSession } from './session.js';
import { transfusionTask } from './task.js';

const SIZE = 8;
const letters = [...'abcdef'];
const images: CaptionedImage[] = Array.from({ length: 30 }, (_, i) => ({
  caption: letters[i % 6].repeat(1 + (i % 4)),
  ...{ name: `${i}`, group: `${i}`, width: SIZE, height: SIZE, split: i < 26 ? 'train' : 'heldOut' },
  pixels: Uint8Array.from({ length: SIZE * SIZE * 3 }, (_, at) => (i * 37 + at * 11) & 255),
}));

let backend: Backend;
beforeAll(async () => {
  backend = await openWasm({ threads: 1 });
});
afterAll(() => backend.dispose());

/** A tar archive of pixels as they are: names of 100 bytes, sizes in octal, contents in blocks. */
function tarOf(files: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const blocks = files.flatMap(([name, contents]) => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write(`${contents.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('        0', 148);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, contents, Buffer.alloc((512 - (contents.length % 512)) % 512)];
  });
  return new Uint8Array(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

async function streamOf(broken: readonly number[] = []) {
  const shards = [0, 1, 2].map((shard) => {
    const own = images.slice(shard * 10, shard * 10 + 10);
    const files = own.flatMap(({ name, caption, pixels }) => [
      [`${name}.png`, pixels] as const,
      [`${name}.txt`, Buffer.from(caption!)] as const,
    ]);
    return openShard(memorySource(`${shard}.tar`, tarOf(files)));
  });
  const decode = async (bytes: Uint8Array, where: string) => {
    const number = Number(where.split('/')[1]);
    if (!broken.includes(number)) return bytes.slice();
    throw new TransfusionError({ code: 'IMAGE_UNREADABLE', message: `${where}: torn` });
  };
  return new ImageStream({ shards: await Promise.all(shards), decode, size: SIZE, allowBroken: 0.1 });
}

const tokenizer = new Tokenizer({
  model: { type: 'BPE', vocab: Object.fromEntries(letters.map((letter, i) => [letter, i])), merges: [] },
});

async function open(changes: Partial<TransfusionTrainingInput>, stream?: ImageStream) {
  const config = transfusionTrainingConfig({
    model: { preset: 'nano', layers: 1, channels: 16, heads: 2, feedForward: 16, timestepDimensions: 8 },
    ...changes,
  });
  const streamed = stream && { stream, images: images.slice(0, 26).map((_, i) => i) };
  // Of those trained on, few are at hand.
  const held = stream ? [...images.slice(0, 2), ...images.slice(26)] : images;
  return openTransfusionSession({ task: transfusionTask({ config, images: held, streamed, tokenizer }), backend });
}

const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, each) => (ArrayBuffer.isView(each) ? [...(each as Float32Array)] : each)));

test.each<[string, Partial<TransfusionTrainingInput>]>([
  [
    'two to a row, mirrored, in several parts',
    { batch: { rows: 2, imagesPerRow: 2, accumulation: 2 }, data: { flip: true } },
  ],
  ['rows that are filled', { batch: { rows: 2, imagesPerRow: null, sequenceLength: 40 } }],
])('%s', async (_, changes) => {
  const [memory, streamed] = [await open(changes), await open(changes, await streamOf())];
  expect([streamed.streamed, memory.streamed]).toEqual([26, undefined]);
  expect(streamed.sizes.batch).toEqual(memory.sizes.batch);
  // Over the end of an epoch; the last ones first, as after resuming.
  for (const step of [9, 0, 1, 5])
    expect(plain(await streamed.batches(step))).toEqual(plain(await memory.batches(step)));
  const { accumulation } = streamed.config.batch;
  const part = { first: accumulation - 1, count: 1 };
  expect(plain(await streamed.source.read(3, part))).toEqual(plain(memory.source.step(3, part)));
  expect(() => streamed.source.step(0)).toThrow(/^DATA_STREAMED: /);
  const evaluated = (session: typeof memory) => [...session.source.evaluation({ examples: session.examples.heldOut })];
  expect(plain(evaluated(streamed))).toEqual(plain(evaluated(memory)));
  memory.dispose();
  streamed.dispose();
});

test('a picture that turns out to be broken is left out of its batch, wherever it comes', async () => {
  const changes: Partial<TransfusionTrainingInput> = { batch: { rows: 13 } };
  const stream = await streamOf([3, 17]);
  const session = await open(changes, stream);
  const counts = [];
  for (const step of [0, 1, 2, 3]) {
    const [{ imageCount }] = (await session.batches(step)) as [{ imageCount: Float32Array }];
    counts.push(imageCount[0]);
  }
  // Two steps are an epoch.
  expect([counts[0] + counts[1], counts[2] + counts[3]]).toEqual([24, 24]);
  expect(stream.broken.map(({ path, reason }) => [path, reason])).toEqual(
    expect.arrayContaining([
      ['0.tar/3', expect.stringContaining('torn')],
      ['1.tar/17', expect.stringContaining('torn')],
    ]),
  );
  expect(stream.broken).toHaveLength(2);
  session.dispose();
});
