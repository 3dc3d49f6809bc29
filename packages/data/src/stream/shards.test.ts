/** @file Parquet and MDS shards, and what is refused of any shard. */
import { parquetFile } from '../testing/parquet-file.js';
import { memorySource } from './byte-source.js';
import { openShard } from './open-shard.js';
import type { ShardIndex } from './shard-index.js';

const picture = (value: number, length = 50) => new Uint8Array(length).fill(value);
const open = (name: string, bytes: Uint8Array, index?: unknown) => openShard(memorySource(name, bytes), { index });
const rows = Array.from({ length: 25 }, (_, i) => ({
  image: { bytes: picture(i), path: `${i}.png` },
  text: `größe  ${i}`,
}));

test.each([true, false])(
  'Parquet as Hugging Face has pictures, row group by row group; compressed: %p',
  async (gzip) => {
    const bytes = parquetFile(rows, { rowsPerGroup: 10, gzip });
    const { index, pieces, read } = await open('a.parquet', bytes);
    expect(index.samples.map(({ caption }) => caption)).toEqual(rows.map((_, i) => `größe ${i}`));
    expect(pieces.map(({ samples }) => samples.length)).toEqual([10, 10, 5]);
    // Bytes that are no UTF-8 stay what they are.
    expect(await read(pieces[2])).toEqual(rows.slice(20).map(({ image }) => image.bytes));
    const again = await open('a.parquet', bytes, JSON.parse(JSON.stringify(index)));
    expect(again.index).toEqual(index);
    expect(await again.read(again.pieces[0])).toEqual(rows.slice(0, 10).map(({ image }) => image.bytes));
  },
);

test('the caption is in a field of another name', async () => {
  const source = memorySource(
    'a.mds',
    mdsFile([{ image: picture(1), text: 'a' }], { column_names: ['id', 'image', 'prompt'] }),
  );
  const plain = (await openShard(source)).index;
  expect([plain.samples[0].caption, plain.fields]).toEqual([undefined, ['id', 'image', 'prompt']]);
  expect((await openShard(source, { captionField: 'prompt' })).index.samples[0].caption).toBe('a');
  const parquet = memorySource('a.parquet', parquetFile(rows));
  const { samples, fields } = (await openShard(parquet, { captionField: 'label' })).index;
  expect([samples[0].caption, fields]).toEqual([undefined, ['image', 'text']]);
});

test('rows without picture or text are read as such', async () => {
  const some = [
    { image: null, text: 'no image' },
    { image: { bytes: null, path: 'elsewhere.png' }, text: 'no bytes' },
    { image: { bytes: picture(7), path: null }, text: null },
  ];
  const { index, pieces, read } = await open('a.parquet', parquetFile(some));
  expect(index.samples.map(({ caption }) => caption)).toEqual(['no image', 'no bytes', undefined]);
  expect(await read(pieces[0])).toEqual([undefined, undefined, picture(7)]);
});

test('Parquet that is cut off or damaged is refused, and an index of another file', async () => {
  const bytes = parquetFile(rows, { rowsPerGroup: 10 });
  await expect(open('a.parquet', bytes.slice(0, -1))).rejects.toThrow(
    /^DATA_SHARD_FORMAT: a\.parquet: it does not end as Parquet/,
  );
  const long = bytes.slice();
  long.set([255, 255, 255, 127], long.length - 8);
  await expect(open('a.parquet', long)).rejects.toThrow(/its footer has 2147483647 bytes, the most is/);
  const scrambled = bytes.slice();
  scrambled.fill(0x5a, bytes.length - 300, bytes.length - 8);
  await expect(open('a.parquet', scrambled)).rejects.toThrow(
    /^DATA_SHARD_FORMAT: a\.parquet: it does not read as Parquet/,
  );
  const { index } = await open('a.parquet', bytes);
  const other = { ...index, groups: index.groups!.map((group) => ({ ...group, rows: 9 })) };
  await expect(open('a.parquet', bytes, { ...other, samples: [] })).rejects.toThrow(
    /its row groups are not those of its index/,
  );
});

/** As MDSWriter writes it: a count, offsets, a header, samples with the sizes of their variable columns in front. */
function mdsFile(samples: { image: Uint8Array; text: string }[], change: object = {}): Uint8Array {
  const header = Buffer.from(
    JSON.stringify({
      ...{
        column_encodings: ['int', 'jpeg', 'str'],
        column_names: ['id', 'image', 'caption'],
        column_sizes: [8, null, null],
      },
      ...{ compression: null, format: 'mds', hashes: [], size_limit: 67108864, version: 2 },
      ...change,
    }),
  );
  const bodies = samples.map(({ image, text }, i) => {
    const caption = Buffer.from(text);
    const sizes = Buffer.alloc(8);
    sizes.writeUInt32LE(image.length, 0);
    sizes.writeUInt32LE(caption.length, 4);
    const id = Buffer.alloc(8);
    id.writeBigInt64LE(BigInt(i));
    return Buffer.concat([sizes, id, image, caption]);
  });
  const numbers = Buffer.alloc(4 * (samples.length + 2));
  numbers.writeUInt32LE(samples.length, 0);
  let offset = numbers.length + header.length;
  [...bodies, Buffer.alloc(0)].forEach((body, i) => {
    numbers.writeUInt32LE(offset, 4 * (i + 1));
    offset += body.length;
  });
  return new Uint8Array(Buffer.concat([numbers, header, ...bodies]));
}

test("MosaicML's shards: columns of fixed and of variable size", async () => {
  const samples = [3, 70, 0].map((length, i) => ({ image: picture(i, length), text: `é ${i}` }));
  const { index, pieces, read } = await open('shard.00000.mds', mdsFile(samples));
  expect(index.samples.map(({ caption }) => caption)).toEqual(['é 0', 'é 1', 'é 2']);
  expect(await read(pieces[0])).toEqual([picture(0, 3), picture(1, 70), undefined]);
});

test('MDS shards that are cut off, or lie about places, are refused', async () => {
  const bytes = mdsFile([{ image: picture(1), text: 'a' }]);
  await expect(open('a.mds', bytes.slice(0, -1))).rejects.toThrow(/do not lie one behind the other inside of it/);
  const many = bytes.slice();
  many.set([255, 255, 255, 0]);
  await expect(open('a.mds', many)).rejects.toThrow(/it has \d+ bytes, and should have \d+ or more/);
  await expect(open('a.mds', mdsFile([], { column_encodings: ['int', 'str', 'str'] }))).rejects.toThrow(
    /no column of encoded pictures/,
  );
  const sizes = bytes.slice();
  sizes[new DataView(bytes.buffer).getUint32(4, true)]++;
  expect((await open('a.mds', sizes)).index.samples[0].problem).toMatch(/its columns have 68 bytes, and it has 67/);
});

test('what is no shard, and places outside of one, are refused', async () => {
  await expect(open('a.tar.gz', Uint8Array.of(0x1f, 0x8b, 8, 0))).rejects.toThrow(/compressed as a whole/);
  await expect(open('a.tar', new TextEncoder().encode('<html>'))).rejects.toThrow(/it is an HTML page, and no shard/);
  const bytes = mdsFile([{ image: picture(1), text: 'a' }]);
  const { index } = await open('a.mds', bytes);
  const at = (place: [number, number]): ShardIndex => ({ ...index, samples: [{ key: 'x', at: place }] });
  for (const place of [
    [5, 4],
    [0, bytes.length + 1],
    [-1, 2],
  ] as [number, number][]) {
    await expect(open('a.mds', bytes, at(place))).rejects.toThrow(/^DATA_SHARD_INDEX: the index of a\.mds/);
  }
  await expect(open('a.mds', bytes, { ...index, bytes: 5000 })).rejects.toThrow(/^DATA_SHARDS_CHANGED/);
});
