import { type Fault, RangeServer } from '../testing/range-server.js';
import { type HttpSourceOptions, openHttpSource } from './http-source.js';

const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 255);
let files: Map<string, Uint8Array>;
let server: RangeServer;
beforeEach(async () => {
  files = new Map([['a.tar', bytes]]);
  server = await RangeServer.open(files);
});
afterEach(() => server.close());
const isSame = (read: Uint8Array, begin: number, end: number) => Buffer.compare(read, bytes.subarray(begin, end)) === 0;
const open = (path = 'a.tar', options: HttpSourceOptions = {}) =>
  openHttpSource(server.url(path), { delayMs: 1, ...options });

test('ranges are the bytes of the file', async () => {
  const source = await open();
  expect([source.size, source.version]).toEqual([300_000, '"300000"']);
  expect(isSame(await source.read(1000, 250_000), 1000, 250_000)).toBe(true);
  expect(await source.read(5, 5)).toHaveLength(0);
  await expect(source.read(0, 300_001)).rejects.toThrow(
    /^DATA_SOURCE_RANGE: .*bytes 0 to 300001 are asked for, and it has 300000/,
  );
  expect(isSame(await source.read(3, 500), 3, 500)).toBe(true);
  expect(server.requests.map(({ ifRange }) => ifRange)).toEqual([undefined, '"300000"']);
});

test.each<Fault>(['cut', 'short'])(
  'an answer that is %s is gone on with from the byte where it broke',
  async (fault) => {
    const source = await open();
    server.fault = (request) => (request === 1 || request === 2 ? fault : undefined);
    expect(isSame(await source.read(100, 200_100), 100, 200_100)).toBe(true);
    const [, ...asked] = server.requests;
    expect(asked.map(({ end }) => end)).toEqual([200_100, 200_100, 200_100]);
    // What a connection had delivered when it was cut is not fetched again.
    if (fault === 'short') expect(asked.map(({ begin }) => begin)).toEqual([100, 100_100, 150_100]);
    else expect(asked[2].begin).toBeGreaterThan(asked[0].begin);
  },
);

test('trouble of the server passes, or is told with address, byte and status', async () => {
  server.fault = (request) => (request < 2 ? 503 : undefined);
  const source = await open();
  server.fault = () => 500;
  await expect(source.read(700, 900)).rejects.toThrow(
    new RegExp(
      `^DATA_SOURCE_STATUS: ${server.url('a.tar')}: bytes from 700 on cannot be had, in 7 tries; .* answers 500`,
    ),
  );
  await expect((await openWithout({ retries: 1 })).read(700, 900)).rejects.toThrow(/in 2 tries/);

  async function openWithout(options: HttpSourceOptions) {
    server.fault = () => undefined;
    const opened = await open('a.tar', options);
    server.fault = () => 500;
    return opened;
  }
});

test('progress is no try in vain: a connection that always breaks is enough while bytes come', async () => {
  files.set('large', new Uint8Array(3_000_000).fill(9));
  const source = await open('large', { retries: 1 });
  server.fault = () => 'short';
  // Halves of what is left, until less comes than counts as progress.
  await expect(source.read(0, 3_000_000)).rejects.toThrow(/bytes from 29\d{5} on cannot be had/);
  expect(server.requests.length).toBeGreaterThan(5);
});

test('a server without ranges, a wrong address, and other answers are refused at once', async () => {
  server.takeOver = (_, response) => {
    response.writeHead(200).end('all');
    return true;
  };
  await expect(open()).rejects.toThrow(/^DATA_SOURCE_NO_RANGES: .*whole files only/);
  server.takeOver = () => false;
  await expect(open('b.tar')).rejects.toThrow(/^DATA_SOURCE_STATUS: .*answers 404 .*\n.*correct the address/);
  for (const range of ['bytes 0-0/*', 'bytes 0-0/9', 'bytes 1-8/9', undefined]) {
    server.takeOver = (_, response) => {
      response.writeHead(206, range === undefined ? {} : { 'content-range': range }).end('x');
      return true;
    };
    await expect(open()).rejects.toThrow(/^DATA_SOURCE_ANSWER: .*asked for bytes 0 to 511/);
  }
  server.takeOver = (_, response) => {
    response.writeHead(206, { 'content-range': 'bytes 0-1/2' }).end('xyz');
    return true;
  };
  await expect(open()).rejects.toThrow(/^DATA_SOURCE_ANSWER: .*more bytes than it should/);
});

test('a file that is replaced while it is read is noticed', async () => {
  const source = await open();
  files.set('a.tar', bytes.slice(1));
  await expect(source.read(1000, 1010)).rejects.toThrow(/^DATA_SOURCE_CHANGED: .*had 300000 bytes, and has 299999 now/);
});

test('a signal ends waiting', async () => {
  const control = new AbortController();
  const source = await open('a.tar', { signal: control.signal, delayMs: 60_000 });
  server.fault = () => 500;
  const reading = source.read(1000, 1010);
  setTimeout(() => control.abort(new Error('stop')), 20);
  await expect(reading).rejects.toThrow('stop');
});
