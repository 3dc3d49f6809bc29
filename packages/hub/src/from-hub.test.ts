/** @file Models in a page, over a file system and locks in memory: what Chromium's give is in test/browser. */

import { fromHub, type HubOptions } from './index.js';
import { FakeDirectory } from './testing/fake-opfs.js';
import { answers, cut, HubServer, refuse, sha1, sha256 } from './testing/hub-server.js';
import { bytesOf, expectFiles, FETCHED, files, NAME, noise, weights } from './testing/tiny-hub.js';

let server: HubServer;
let root: FakeDirectory;
/** What the browser says when so many bytes are to be kept. */
let room: number;

beforeEach(async () => {
  server = await HubServer.start();
  server.commit(NAME, files);
  room = Number.POSITIVE_INFINITY;
  root = new FakeDirectory((bytes) => {
    room -= bytes;
    if (room < 0) throw new DOMException('no room', 'QuotaExceededError');
  });
  define({ storage: { getDirectory: async () => root } });
});
afterEach(async () => {
  define(undefined);
  await server.close();
});

function define(navigator: unknown): void {
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
}

const open = (options: HubOptions = {}, name = NAME) => fromHub(name, { endpoint: server.url, retries: 2, ...options });
const ofWeights = ({ at, path }: { at: string; path: string }) => at === 'cdn' && path === `/${sha256(weights)}`;
const asked = () => server.requests.filter(ofWeights).map(({ range }) => range);

/** Faults of the first requests for the weights. */
function faults(...all: ReturnType<typeof answers>[]): void {
  server.fault = (request, response) => ofWeights(request) && (all.shift()?.(request, response) ?? false);
}

test('fetched once; read in any parts; offline', async () => {
  const source = await open();
  await expectFiles(source);
  expect(await source.list!('')).toEqual(['config.json', 'model.safetensors', 'vae']);
  const part = new Uint8Array(100_000);
  for (const begin of [0, 7, 2_899_999, 2_900_000]) {
    await source.read('model.safetensors', begin, part);
    expect(Buffer.from(part).equals(weights.subarray(begin, begin + 100_000))).toBe(true);
  }
  await expect(source.read('model.safetensors', 2_900_001, part)).rejects.toThrow(/^CHECKPOINT_FORMAT: hf:\/\/owner/);
  await expect(source.size('none.json')).rejects.toThrow(/^CHECKPOINT_MISSING: file hf:\/\/owner\/tiny\/none\.json/);
  await expect(source.has('../x')).rejects.toThrow(/^CHECKPOINT_ARGUMENT/);
  server.forget();
  await expectFiles(await open());
  expect(server.log).toEqual([`GET hub /api/models/${NAME}/revision/main`]);
  await expectFiles(await open({ localFilesOnly: true, verify: true }));
  await expectFiles(await open({ revision: source.commit }));
  expect(server.log).toHaveLength(1);
  const vae = await open({ subfolder: 'vae', localFilesOnly: true });
  expect((await bytesOf(vae, 'config.json')).equals(files['vae/config.json'])).toBe(true);
});

test('files of more than a piece; a file that several commits have is kept once', async () => {
  const big = noise(20_000_000, 6);
  const all = { ...files, 'model.safetensors': big };
  server.commit(NAME, all);
  await expectFiles(await open(), all);
  server.commit(NAME, { ...all, 'config.json': weights.subarray(0, 50) });
  server.forget();
  await open();
  expect(server.bodies).toHaveLength(1);
});

test('it goes on from the byte where it broke, where it was stopped, and where the page was closed', async () => {
  faults(answers((response) => cut(response, weights, 1_000_000, { ETag: `"cdn-${sha1(weights)}"` })));
  await expectFiles(await open());
  expect(asked()).toEqual(['0-', expect.stringMatching(/^[1-9]\d+-$/)]);

  root = new FakeDirectory();
  const stop = new AbortController();
  faults(
    answers((response) => {
      response.writeHead(200, { 'Content-Length': weights.length });
      response.write(weights.subarray(0, 700_000));
    }),
  );
  const onProgress = ({ fetched }: { fetched: number }) => fetched >= 700_000 && stop.abort(new Error('enough'));
  await expect(open({ signal: stop.signal, onProgress })).rejects.toThrow('enough');
  server.forget();
  await expectFiles(await open());
  expect(Number(asked()[0]!.slice(0, -1))).toBeGreaterThanOrEqual(600_000);
});

test('wrong bytes are not kept', async () => {
  const other = noise(3_000_000, 3);
  faults(answers((response) => response.writeHead(200, { 'Content-Length': other.length }).end(other)));
  await expect(open()).rejects.toThrow(/^HUB_HASH: owner\/tiny\/model\.safetensors/);
  server.forget();
  await expectFiles(await open());
  expect(asked()).toEqual(['0-']);
});

test('a kept file that is damaged is fetched again when asked to check', async () => {
  await open();
  const blob = await (
    await (await root.getDirectoryHandle('transfusion-hub')).getDirectoryHandle('models--owner--tiny')
  )
    .getDirectoryHandle('blobs')
    .then((blobs) => blobs.getDirectoryHandle(sha256(weights)));
  const stream = await (await blob.getFileHandle('0')).createWritable();
  await stream.write(new Blob([Uint8Array.from(noise(3_000_000, 1).fill(0, 5, 6))]));
  await stream.close();
  server.forget();
  await expectFiles(await open({ verify: true }));
  expect(asked()).toEqual(['0-']);
});

test('room that is used up, storage that is not given, a browser without', async () => {
  room = 1_000_000;
  await expect(open()).rejects.toThrow(/^HUB_CACHE: the browser cannot keep files .*no room\n.*free some space/);
  define({ storage: { getDirectory: () => Promise.reject(new DOMException('no', 'SecurityError')) } });
  await expect(open()).rejects.toThrow(/^HUB_CACHE: .*\n.*serve the page by https/);
  define({ storage: {} });
  await expect(open()).rejects.toThrow(/^HUB_CACHE: this page has no navigator\.storage\.getDirectory/);
});

test('a file of more than a page can hash is refused before it is fetched', async () => {
  server.fault = answers(
    (response) => {
      const entry = { type: 'file', path: 'model.safetensors', size: 2 ** 31, oid: 'a'.repeat(40) };
      response.writeHead(200).end(JSON.stringify([entry]));
    },
    ({ path }) => path.includes('/tree/'),
  );
  await expect(open()).rejects.toThrow(
    /^HUB_CACHE: model\.safetensors has 2147483648 bytes, more than .* a page can check/,
  );
  expect(server.bodies).toEqual([]);
});

test('pages that fetch at once: one fetches, the other waits', async () => {
  let last = Promise.resolve();
  const locks = {
    request: (_name: string, _options: unknown, action: () => Promise<void>) => (last = last.then(action)),
  };
  define({ storage: { getDirectory: async () => root }, locks });
  const sources = await Promise.all([open(), open(), open()]);
  for (const source of sources) await expectFiles(source);
  expect(server.bodies).toHaveLength(FETCHED.length);
});

test('the token goes to the hub, not to where it sends', async () => {
  await open({ token: 'hf_secret' });
  const tokens = (at: string) => [
    ...new Set(server.requests.filter((each) => each.at === at).map((each) => each.token)),
  ];
  expect([tokens('hub'), tokens('cdn')]).toEqual([['Bearer hf_secret'], [undefined]]);
});

test('refusals are told by the headers of the last answer', async () => {
  server.fault = answers((response) => refuse(response, 403, 'GatedRepo'));
  await expect(open()).rejects.toThrow(/^HUB_ACCESS: access to owner\/tiny is denied/);
});
