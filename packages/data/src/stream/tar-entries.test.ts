/** @file Archives of Python's tarfile in its three formats (fixtures/shards/make.py), of modern-tar, and damaged ones. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packTar } from 'modern-tar';
import { ForwardReader, memorySource } from './byte-source.js';
import { tarEntries } from './tar-entries.js';
import { indexTar, sampleField } from './web-dataset.js';

const fixture = (name: string) => new Uint8Array(readFileSync(join(__dirname, '../../fixtures/shards', `${name}.tar`)));
const file = (name: string, body: string, more = {}) => ({ header: { name, size: body.length, ...more }, body });
const index = (bytes: Uint8Array) => indexTar(memorySource('a.tar', bytes));

async function entries(bytes: Uint8Array, piece?: number) {
  const all: [string, string][] = [];
  for await (const { name, begin, end } of tarEntries(new ForwardReader(memorySource('a.tar', bytes), piece))) {
    all.push([name, Buffer.from(bytes.subarray(begin, end)).toString('latin1')]);
  }
  return all;
}

test.each([
  ['ustar', 'pictures'],
  ['gnu', `a/very/${'deep/'.repeat(30)}folder`],
  ['pax', `a/very/${'deep/'.repeat(30)}folder`],
])("Python's %s archives: names, contents, samples", async (name, deep) => {
  const found = await entries(fixture(name));
  expect(found.map(([path]) => path)).toEqual([
    'pictures/cat.png',
    'pictures/cat.txt',
    `${deep}/v1.2/dog.seg.png`,
    `${deep}/v1.2/dog.PNG`,
    `${deep}/v1.2/dog.json`,
    'pictures/.hidden.png',
  ]);
  expect(Buffer.from(found[1][1], 'latin1').toString()).toBe('a cat, größer\n');
  expect(found[3][1].slice(1, 4)).toBe('PNG');
  expect(await entries(fixture(name), 512)).toEqual(found);
  const { samples } = await index(fixture(name));
  expect(samples.map(({ key, caption }) => [key, caption])).toEqual([
    ['pictures/cat', 'a cat, größer'],
    [`${deep}/v1.2/dog`, 'a dog'],
  ]);
  const [begin, end] = samples[1].at;
  expect(Buffer.from(fixture(name).subarray(begin, end)).toString('latin1')).toBe(found[3][1]);
});

test('archives of modern-tar, with a name longer than a header has room for', async () => {
  const long = `${'x'.repeat(300)}.png`;
  const bytes = await packTar([file('a.txt', 'one'), file(long, 'two'), file('empty.txt', '')]);
  expect(await entries(bytes)).toEqual([
    ['a.txt', 'one'],
    [long, 'two'],
    ['empty.txt', ''],
  ]);
});

test("a sample's key goes up to the first dot of the name, folders may have dots; hidden files have none", () => {
  expect(sampleField('a.b/cat.v2.JPG')).toEqual({ key: 'a.b/cat', field: 'v2.jpg' });
  expect(sampleField('cat.png')).toEqual({ key: 'cat', field: 'png' });
  for (const path of ['cat', '.cat.png', 'a/.png', 'a.b/cat']) expect(sampleField(path)).toBeUndefined();
});

test('a field twice in a sample is an error, what cannot be a sample is told with its reason', async () => {
  await expect(index(await packTar([file('a.png', 'x'), file('a.PNG', 'y')]))).rejects.toThrow(
    /^DATA_SHARD_FORMAT: a\.tar: sample "a" has the field "png" twice/,
  );
  const { samples } = await index(
    await packTar([
      ...[file('a.txt', 'a'), file('a.cls', '5'), file('b.png', 'x'), file('b.jpg', 'x'), file('c.png', 'x')],
      ...[file('c.json', '{"text": }'), file('d.png', 'x'), file('d.txt', ' \n'), file('d.json', '{"text": "d"}')],
    ]),
  );
  expect(samples.map(({ problem = '' }) => problem)).toEqual([
    'it has no picture; it has txt, cls',
    'it has several pictures: png, jpg',
    expect.stringMatching(/^c\.json is no JSON/),
    '',
  ]);
  expect(samples[3].caption).toBe('d');
  const other = await packTar([
    file('a.png', 'x'),
    file('a.txt', 'plain'),
    file('a.json', '{"prompt": "asked"}'),
    file('b.png', 'x'),
    file('b.prompt', 'said'),
  ]);
  const found = await indexTar(memorySource('a.tar', other), { captionField: 'prompt' });
  expect([found.samples.map(({ caption }) => caption), found.fields]).toEqual([
    ['asked', 'said'],
    ['json', 'png', 'prompt', 'txt'],
  ]);
});

test('cut off, changed, or no archive: refused with the place', async () => {
  const bytes = await packTar([file('a.txt', 'x'.repeat(600)), file('b.txt', 'y')]);
  const changed = (at: number, to: number[]) => {
    const copy = bytes.slice();
    copy.set(to, at);
    return copy;
  };
  const refused: [Uint8Array, RegExp][] = [
    [bytes.slice(0, 1000), /at byte 0: a file of 600 bytes is announced, and 488 are left/],
    [bytes.slice(0, 1536), /at byte 1536: the archive ends without its end mark: it is cut off/],
    [changed(1536, [0x63]), /at byte 1536: a header has a wrong checksum/],
    [changed(0, [0x63]), /at byte 0: it is no tar archive/],
    [new Uint8Array(0), /at byte 0: the archive ends/],
  ];
  for (const [archive, message] of refused) await expect(index(archive)).rejects.toThrow(message);
});

test('a size of 2^60 bytes, or a header of names of a gigabyte, is refused before it is allocated', async () => {
  const header = (type: string, size: number[]) => {
    const block = new Uint8Array(1024);
    block.set(new TextEncoder().encode('a.png'));
    block.set(size, 124);
    block[156] = type.charCodeAt(0);
    block.fill(32, 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
    return block;
  };
  const binary = [0x80, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0];
  await expect(entries(header('0', binary))).rejects.toThrow(
    /a file of unreadable many bytes|a file of \d+ bytes is announced/,
  );
  await expect(
    entries(
      header(
        'x',
        [...'07777777777'].map((digit) => digit.charCodeAt(0)),
      ),
    ),
  ).rejects.toThrow(/announced/);
});
