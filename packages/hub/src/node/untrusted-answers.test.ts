/** @file Answers that are not trusted, refusals in words, and a token that goes nowhere else. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  answers,
  type Fault,
  type HubRequest,
  json,
  refuse,
  sendEndlessly,
  sendFile,
  sha256,
} from '../testing/hub-server.js';
import { NAME, noise, text, useTinyHub, weights } from '../testing/tiny-hub.js';
import { fromHub, type NodeHubOptions } from './index.js';

const hub = useTinyHub();
const ofTree = ({ path }: HubRequest) => path.includes('/tree/');
const ofRevision = ({ path }: HubRequest) => path.includes('/revision/');
const entry = (path: string) => ({ type: 'file', path, size: 3, oid: 'a'.repeat(40) });
const listed = (entries: unknown) => answers((response) => json(response, entries), ofTree);

describe('files', () => {
  test('wrong bytes of the right length, of large files and of small ones; nothing of them is kept', async () => {
    hub.faults(answers((response, request) => sendFile(request, response, noise(3_000_000, 7), '"x"')));
    await expect(hub.open()).rejects.toThrow(
      new RegExp(`^HUB_HASH: owner/tiny/model\\.safetensors .*its hash is [0-9a-f]{64}, expected ${sha256(weights)}`),
    );
    const names = await readdir(join(hub.folder, 'blobs'));
    expect(names.filter((name) => name.startsWith(sha256(weights)))).toEqual([]);
    hub.server.fault = answers(
      (response, request) => sendFile(request, response, text('{"a": 2}\n'), '"weak"'),
      ({ path }) => path.endsWith(`resolve/${hub.commit}/config.json`),
    );
    const cacheDir = join(hub.cacheDir, 'other');
    await expect(hub.open({ cacheDir })).rejects.toThrow(/^HUB_HASH: owner\/tiny\/config\.json/);
  });

  test.each<[string, Fault, RegExp]>([
    [
      'fewer bytes',
      answers((response, request) => sendFile(request, response, weights.subarray(1), '"x"')),
      /has 2999999 bytes, 3000000 were announced/,
    ],
    [
      'bytes without end',
      answers((response) => sendEndlessly(response, noise(1_000_000, 4))),
      /has more than the 3000000 bytes announced/,
    ],
    [
      'a length that nobody could hold',
      answers((response) => response.writeHead(200, { 'Content-Length': 2 ** 45 }).flushHeaders()),
      /is sent as 35184372088832 bytes, 3000000 were announced/,
    ],
    [
      'another part',
      answers((response) => response.writeHead(206, { 'Content-Range': 'bytes 5-2999999/3000000' }).flushHeaders()),
      /is sent from byte 5 on, asked for 0/,
    ],
  ])('%s', async (_, fault, message) => {
    hub.faults(fault);
    const failed = hub.open();
    await expect(failed).rejects.toThrow(/^HUB_ANSWER: owner\/tiny\/model\.safetensors/);
    await expect(failed).rejects.toThrow(message);
  });

  test.each([
    ['X-Linked-Etag', `"${'0'.repeat(64)}"`, /was listed with hash [0-9a-f]{64}, now has 0000/],
    ['X-Linked-Size', '3000001', /was listed with 3000000 bytes, now has 3000001/],
  ])('a file that the hub means to be another than it listed: %s', async (header, value, message) => {
    hub.server.fault = answers(
      (response) => {
        response.writeHead(302, { [header]: value, Location: `${hub.server.cdn}/${sha256(weights)}` }).end();
      },
      ({ path }) => path.endsWith('/model.safetensors'),
    );
    await expect(hub.open()).rejects.toThrow(message);
  });

  test.each([
    '../evil.json',
    '/etc/evil.json',
    'C:evil.json',
    'a\\..\\evil.json',
    'vae/../evil.json',
    'nul.json',
    'a\u0000.json',
    'a /x.json',
    'a?.json',
  ])('a file called %j', async (path) => {
    hub.server.fault = listed([entry('config.json'), entry(path)]);
    await expect(hub.open({ files: ['*.json'] })).rejects.toThrow(
      /^HUB_ANSWER: owner\/tiny has a file called .* no harmless name/,
    );
    expect(hub.server.bodies).toEqual([]);
  });
});

test.each<[string, Fault, RegExp]>([
  ['no list', listed({ error: 'x' }), /^HUB_ANSWER: .* lists no files/],
  ['no sizes', listed([{ ...entry('config.json'), size: undefined }]), /tells no hash or size of "config\.json"/],
  ['sizes below 0', listed([{ ...entry('config.json'), size: -1 }]), /lists no files/],
  ['hashes that are paths', listed([{ ...entry('config.json'), oid: '../x' }]), /lists no files/],
  ['no commit', answers((response) => json(response, { sha: '../..' }), ofRevision), /tells no commit/],
  ['no JSON', answers((response) => response.end('<html>'), ofRevision), /is to give JSON, and gives "<html>"/],
  [
    'a list that goes on elsewhere',
    answers((response) => {
      response.setHeader('Link', '<http://127.0.0.2:1/x>; rel="next"');
      json(response, [entry('config.json')]);
    }, ofTree),
    /says that a list goes on at http:\/\/127\.0\.0\.2:1/,
  ],
  [
    'JSON without end',
    answers((response) => sendEndlessly(response, Buffer.alloc(2 ** 22, ' ')), ofTree),
    /sends more than 67108864 bytes of JSON/,
  ],
  [
    'redirects without end',
    answers((response) => response.writeHead(302, { Location: '/again' }).end()),
    /from one address to another/,
  ],
  [
    'a redirect to a file',
    answers((response) => response.writeHead(302, { Location: 'file:///etc/passwd' }).end()),
    /no address of a file/,
  ],
])('%s', async (_, fault, message) => {
  hub.server.fault = fault;
  await expect(hub.open()).rejects.toThrow(message);
});

describe('refusals', () => {
  test.each<[number, string, RegExp]>([
    [401, 'RepoNotFound', /^HUB_NOT_FOUND: there is no model owner\/tiny at http:.*private \(401\)\n.*HF_TOKEN/],
    [404, 'RepoNotFound', /^HUB_NOT_FOUND/],
    [404, 'RevisionNotFound', /^HUB_REVISION: owner\/tiny has no revision main/],
    [403, 'GatedRepo', /^HUB_ACCESS: access to owner\/tiny is denied \(403\)\n.*accept its terms at .*give a token/],
    [401, 'GatedRepo', /^HUB_ACCESS/],
    [418, '', /^HUB_ANSWER: .* answers 418/],
    [500, '', /^HUB_NETWORK: cannot fetch owner\/tiny: the server answers 500/],
  ])('%d %s', async (status, code, message) => {
    hub.server.fault = answers((response) => refuse(response, status, code));
    await expect(hub.open({ retries: 0 })).rejects.toThrow(message);
  });

  test('a token that is not accepted; a model and a revision that are not there', async () => {
    hub.server.fault = answers((response) => refuse(response, 401, ''));
    await expect(hub.open({ token: 'hf_x' })).rejects.toThrow(/^HUB_ACCESS: .* does not accept the token/);
    hub.server.forget();
    await expect(hub.open({}, 'owner/none')).rejects.toThrow(/^HUB_NOT_FOUND/);
    await expect(hub.open({ revision: 'none' })).rejects.toThrow(/^HUB_REVISION: owner\/tiny has no revision none/);
    await expect(hub.open({ revision: 'f'.repeat(40) })).rejects.toThrow(/^HUB_REVISION/);
  });

  test.each<[string, NodeHubOptions, RegExp]>([
    ['owner/tiny@', {}, /is no revision/],
    ['', {}, /no address of a model/],
    ['../x', {}, /no name of a model/],
    ['owner/na me', {}, /no name of a model/],
    [NAME, { revision: '../../x' }, /is no revision/],
    [NAME, { revision: 'a b' }, /is no revision/],
    [NAME, { subfolder: '../x' }, /is no folder of a model/],
    [NAME, { endpoint: 'ftp://x' }, /hub's address is "ftp:\/\/x"/],
    [NAME, { files: [] }, /files/],
    [NAME, { retires: 1 } as NodeHubOptions, /retries/],
  ])('%j %j', async (name, options, message) => {
    const { cacheDir } = hub;
    await expect(fromHub(name, { cacheDir, ...options })).rejects.toThrow(/^HUB_OPTIONS: /);
    await expect(fromHub(name, { cacheDir, ...options })).rejects.toThrow(message);
  });

  test('a place that cannot be written', async () => {
    const cacheDir = join(hub.cacheDir, 'file');
    await writeFile(cacheDir, '');
    await expect(hub.open({ cacheDir })).rejects.toThrow(/^HUB_CACHE: cannot keep files in .*\n.*HF_HUB_CACHE/);
  });
});

describe('the token', () => {
  const tokens = (at: string) =>
    new Set(hub.server.requests.filter((each) => each.at === at).map(({ token }) => token));

  test('goes to the hub, not to where it sends; from HF_TOKEN, the option, or the file of `hf auth login`', async () => {
    process.env.HF_TOKEN = 'hf_secret';
    await hub.open();
    expect(tokens('hub')).toEqual(new Set(['Bearer hf_secret']));
    expect(hub.server.requests.filter(({ at }) => at === 'cdn')).toHaveLength(2);
    expect(tokens('cdn')).toEqual(new Set([undefined]));
    hub.server.forget();
    await hub.open({ token: 'hf_option' });
    expect(tokens('hub')).toEqual(new Set(['Bearer hf_option']));
    delete process.env.HF_TOKEN;
    await mkdir(process.env.HF_HOME!, { recursive: true });
    await writeFile(join(process.env.HF_HOME!, 'token'), 'hf_file\n');
    hub.server.forget();
    await hub.open();
    expect(tokens('hub')).toEqual(new Set(['Bearer hf_file']));
  });

  test('stands in no error', async () => {
    hub.server.fault = answers((response) => refuse(response, 403, 'GatedRepo'));
    for (const token of ['hf_se cret', 'hf_secret']) {
      const error = (await hub.open({ token }).catch((each: unknown) => each)) as Error;
      expect(error.message).toMatch(/^HUB_/);
      expect(error.message).not.toMatch('cret');
    }
  });
});
