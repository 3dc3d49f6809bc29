import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { splitDataset } from '../index.js';
import { type LoadTextsOptions, loadTexts } from './index.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-texts-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

const load = (more: Partial<LoadTextsOptions> = {}) => loadTexts({ path: folder, ...more });
const within = (files: { path: string; reason: string }[]) =>
  files.map(({ path, reason }) => [path.slice(folder.length + 1), reason]);
const rows = (...values: unknown[]) => values.map((value) => JSON.stringify(value)).join('\n');

describe('loadTexts', () => {
  test('files of a folder, sorted by name; text is kept but for its byte order mark and CRLF', async () => {
    await put('b.md', '# Bees\n\n  buzz \n');
    await put('a.txt', '\ufeffone\r\ntwo\rthree\n\n');
    await put('c/lines.jsonl', `\ufeff${rows({ text: 'L1\r\n' }, { content: ' L2', id: 7 })}\r\n\r\n`);
    await put('c/more.ndjson.gz', gzipSync(rows({ text: 'Z1 🍌' }, { text: 'Z2' })));
    const { texts, broken, leftOut } = await load();
    expect(texts).toEqual([
      { text: 'one\ntwo\rthree\n\n', name: 'a.txt', group: 'a.txt' },
      { text: '# Bees\n\n  buzz \n', name: 'b.md', group: 'b.md' },
      { text: 'L1\n', name: 'c/lines.jsonl, line 1', group: 'c/lines.jsonl:1' },
      { text: ' L2', name: 'c/lines.jsonl, line 2', group: 'c/lines.jsonl:2' },
      { text: 'Z1 🍌', name: 'c/more.ndjson.gz, line 1', group: 'c/more.ndjson.gz:1' },
      { text: 'Z2', name: 'c/more.ndjson.gz, line 2', group: 'c/more.ndjson.gz:2' },
    ]);
    expect([broken, leftOut]).toEqual([[], []]);
    expect((await load({ count: 3 })).texts).toEqual(texts.slice(0, 3));
  });

  test('one file, and its progress in bytes', async () => {
    const path = await put(
      'a.jsonl',
      rows(...Array.from({ length: 50_000 }, (_, i) => ({ text: `${'x'.repeat(40)}${i}` }))),
    );
    const calls: [number, number][] = [];
    const { texts } = await load({ path, onProgress: (...call) => calls.push(call) });
    expect(texts.map(({ text }) => Number(text.slice(40)))).toEqual(Array.from({ length: 50_000 }, (_, i) => i));
    expect(texts[9].name).toBe('a.jsonl, line 10');
    expect(calls.length).toBeGreaterThan(1);
    const [done, total] = calls[calls.length - 1];
    expect(done).toBe(total);
  });

  test('empty texts and other files are left out', async () => {
    await put('a.txt', 'text');
    await put('b.txt', ' \n');
    await put('c.jsonl', rows({ text: '' }, { text: 'C' }));
    await put('d.pdf', '%PDF');
    await put('.hidden.txt', 'hidden');
    const { texts, broken, leftOut } = await load();
    expect(texts.map(({ text }) => text)).toEqual(['text', 'C']);
    expect(broken).toEqual([]);
    expect(within(leftOut)).toEqual([
      ['d.pdf', 'it is not a .txt, .md, .jsonl or .ndjson file'],
      ['b.txt', 'it is empty'],
      ['c.jsonl, line 1', 'it is empty'],
    ]);
  });

  test('what is no text is broken, named with its line', async () => {
    await put('a.txt', Uint8Array.of(0x66, 0xff));
    await put('b.txt', Buffer.from('\ufefftext', 'utf16le'));
    await put('c.txt', Buffer.from('text', 'utf16le'));
    const bad = ['{"text": 1}', '{"prompt": "p", "label": 2}', '[1]', 'null', '{"text": "', '{"text": "fine"}'];
    await put(
      'd.jsonl',
      Buffer.concat([Buffer.from(`${bad.join('\n')}\n`), Buffer.of(0xff), Buffer.from('\n{"text": "too"}')]),
    );
    await put('e.jsonl.gz', gzipSync('{"text": "E"}\n').subarray(0, -4));
    await put('secret/x.txt', 'x');
    await symlink('/etc/hostname', join(folder, 'f.txt'));
    const { texts, broken } = await load({ allowBroken: 1 });
    expect(texts.map(({ text }) => text)).toEqual(['fine', 'too', 'E', 'x']);
    expect(within(broken)).toEqual([
      ['a.txt', 'it is not UTF-8'],
      ['b.txt', 'it is UTF-16: save it as UTF-8'],
      ['c.txt', 'it has NUL bytes, so it is UTF-16 or no text: save it as UTF-8'],
      ['d.jsonl, line 1', 'it has no text in `text` or `content`; it has "text"'],
      ['d.jsonl, line 2', 'it has no text in `text` or `content`; it has "prompt", "label"'],
      ['d.jsonl, line 3', 'it is no object with `text`'],
      ['d.jsonl, line 4', 'it is no object with `text`'],
      ['d.jsonl, line 5', expect.stringMatching(/^it is no JSON: /)],
      ['d.jsonl, line 7', 'it is not UTF-8'],
      ['e.jsonl.gz, after line 1', expect.stringMatching(/unexpected end of file/)],
      ['f.txt', 'it is a link that leaves the folder'],
    ]);
    await expect(load()).rejects.toThrow(
      /DATA_BROKEN_FILES: 11 of 15 texts cannot be used[\s\S]*a\.txt: it is not UTF-8\n/,
    );
    expect((await load({ allowBroken: 11 / 15 })).broken).toHaveLength(11);
  });

  test('sizes are checked before anything is read', async () => {
    await put('a.txt', 'fine');
    const vast = await put('b.txt', '');
    await truncate(vast, 65 * 2 ** 20);
    const { broken } = await load({ allowBroken: 1 });
    expect(within(broken)).toEqual([['b.txt', `it has ${65 * 2 ** 20} bytes, the most is ${64 * 2 ** 20}`]]);
  });

  test('a line that is too long is passed over, and not kept', async () => {
    const path = await put(
      'a.jsonl.gz',
      gzipSync(Buffer.concat([Buffer.alloc(65 * 2 ** 20, 0x20), Buffer.from('\n{"text": "A"}\n')])),
    );
    const { texts, broken } = await load({ allowBroken: 1 });
    expect(texts.map(({ text }) => text)).toEqual(['A']);
    expect(broken).toEqual([{ path: `${path}, line 1`, reason: `it has more than ${64 * 2 ** 20} bytes` }]);
  });

  test.each([
    ['train/a.txt', 'test/b.txt'],
    ['Stories-train.txt', 'Stories-valid.txt'],
    ['train.jsonl', 'eval.jsonl'],
  ])('%s and %s are a split', async (train, heldOut) => {
    const text = (name: string) => (name.endsWith('.jsonl') ? rows({ text: name }) : name);
    await put(train, text(train));
    await put(heldOut, text(heldOut));
    const { texts } = await load({ count: 1 });
    expect(splitDataset({ images: texts, fraction: 0 })).toEqual({
      train: [expect.objectContaining({ text: train, split: 'train' })],
      heldOut: [expect.objectContaining({ text: heldOut, split: 'heldOut' })],
    });
  });

  test('without a split, whole groups are held out', async () => {
    await put('train journeys.md', 'a');
    await put('test.md', 'b');
    await put('other.md', 'c');
    const { texts } = await load();
    expect(texts.some((text) => 'split' in text)).toBe(false);
    const { train, heldOut } = splitDataset({ images: texts, fraction: 0.3 });
    expect([train.length, heldOut.length]).toEqual([2, 1]);
  });

  test('where nothing can be used, no share is told that would do; documents are recognised', async () => {
    await put('a.jsonl', '{"parts": [{"text": "a"}]}\n{"parts": []}\n');
    for (const allowBroken of [0, 1]) {
      await expect(load({ allowBroken })).rejects.toThrow(
        /2 of 2 texts cannot be used:\n.*it has `parts`.*\n.*\n {2}fix: read it as documents \(loadDocuments\)$/,
      );
    }
  });

  test('says what is missing', async () => {
    await expect(load()).rejects.toThrow(/DATA_TEXTS_EMPTY: .* has no text: it is empty\n.*\.jsonl/);
    await put('a.parquet', 'PAR1');
    await put('b.txt', '');
    await expect(load()).rejects.toThrow(
      /DATA_TEXTS_EMPTY: .*: it has 1 \.parquet, 1 \.txt; .*a\.parquet: it is not a \.txt/,
    );
    await expect(load({ path: join(folder, 'a.parquet') })).rejects.toThrow(
      /DATA_TEXTS_FORMAT: .*it is not a \.txt, \.md/,
    );
    await expect(load({ path: join(folder, 'x') })).rejects.toThrow(/DATA_UNREADABLE: texts .*it does not exist/);
  });
});
