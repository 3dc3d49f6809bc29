/** @file Downloads that break off, are stopped, or change under way: gone on with from the byte, and right in the end. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { answers, cut, refuse, sendFile, sha1, sha256 } from '../testing/hub-server.js';
import { expectFiles, FETCHED, files, noise, useTinyHub, weights } from '../testing/tiny-hub.js';

const hub = useTinyHub();
const etag = { ETag: `"cdn-${sha1(weights)}"` };
/** Where a process of this machine keeps what it has of the weights. */
const partialOf = (pid: number) =>
  `${join(hub.folder, 'blobs', sha256(weights))}.${hostname()
    .replace(/[^a-zA-Z0-9]/g, '')
    .slice(0, 32)}-${pid}-00000000.incomplete`;
const partials = async () => (await readdir(join(hub.folder, 'blobs'))).filter((name) => name.endsWith('.incomplete'));
/** Requests for the weights, of the CDN. */
const asked = () => hub.server.requests.filter(({ at, path }) => at === 'cdn' && path === `/${sha256(weights)}`);
const beginOf = (range: string | undefined) => Number(range!.slice(0, -1));

async function leave(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}

test('it goes on from the byte where it broke', async () => {
  hub.faults(answers((response) => cut(response, weights, 1_000_000, etag)));
  const shown: number[] = [];
  await expectFiles(await hub.open({ onProgress: ({ done }) => shown.push(done) }));
  const [first, second] = asked();
  expect([first.range, first.ifRange, second.ifRange]).toEqual(['0-', undefined, etag.ETag]);
  expect(beginOf(second.range)).toBeGreaterThan(0);
  expect(beginOf(second.range)).toBeLessThanOrEqual(1_000_000);
  expect(shown).toEqual([...shown].sort((a, b) => a - b));
  expect(shown.at(-1)).toBe(FETCHED.reduce((sum, name) => sum + files[name].length, 0));
});

test('connections that break again and again do not end it, as long as each brings much', async () => {
  // Three breaks and one retry: each break is after more than a MiB, so each counts as the first.
  const big = noise(6_000_000, 11);
  const all = { ...files, 'model.safetensors': big };
  hub.server.commit('owner/tiny', all);
  let breaks = 3;
  hub.server.fault = (request, response) => {
    if (request.path !== `/${sha256(big)}` || breaks-- <= 0) return false;
    const begin = beginOf(request.range);
    response.writeHead(206, {
      ...{ ETag: `"cdn-${sha1(big)}"`, 'Content-Range': `bytes ${begin}-${big.length - 1}/${big.length}` },
      'Content-Length': big.length - begin,
    });
    response.write(big.subarray(begin, begin + 1_700_000), () => setTimeout(() => response.destroy(), 100));
    return true;
  };
  await expectFiles(await hub.open({ retries: 1 }), all);
  expect(breaks).toBeLessThan(0);
});

test('a call that is stopped, and one that gives up, are gone on with by the next', async () => {
  const stop = new AbortController();
  hub.faults(
    answers((response) => {
      response.writeHead(200, { ...etag, 'Content-Length': weights.length });
      response.write(weights.subarray(0, 700_000));
    }),
  );
  const onProgress = ({ fetched }: { fetched: number }) => fetched >= 700_000 && stop.abort(new Error('enough'));
  await expect(hub.open({ signal: stop.signal, onProgress })).rejects.toThrow('enough');
  expect(await partials()).toHaveLength(1);
  hub.faults(answers((response) => response.destroy()));
  await expect(hub.open({ retries: 0 })).rejects.toThrow(
    /^HUB_NETWORK: cannot fetch owner\/tiny\/model\.safetensors: /,
  );
  hub.server.forget();
  let fetched = 0;
  await expectFiles(await hub.open({ onProgress: (progress) => (fetched = progress.fetched) }));
  const begin = beginOf(asked()[0].range);
  expect(begin).toBeGreaterThanOrEqual(600_000);
  expect(fetched).toBeLessThanOrEqual(weights.length - begin + 80_000);
  expect(await partials()).toEqual([]);
});

test('a signal that has ended already ends it before anything is asked for', async () => {
  await expect(hub.open({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  expect(hub.server.log).toEqual([]);
});

test('what a process left that ended is gone on with; what one is writing is left alone', async () => {
  await leave(partialOf(999_999_999), weights.subarray(0, 500_000));
  await leave(partialOf(process.ppid), Buffer.from('other'));
  await expectFiles(await hub.open());
  expect(asked().map(({ range }) => range)).toEqual(['500000-']);
  expect(await readFile(partialOf(process.ppid), 'utf8')).toBe('other');
});

test('a file that is another when it goes on starts anew, by its tag', async () => {
  hub.faults(answers((response) => cut(response, noise(3_000_000, 9), 900_000, { ETag: '"other"' })));
  await expectFiles(await hub.open());
  expect(asked().map(({ ifRange }) => ifRange)).toEqual([undefined, '"other"']);
});

test('so does one whose server takes no notice of tags', async () => {
  hub.faults(
    answers((response) => cut(response, noise(3_000_000, 9), 900_000, { ETag: '"other"' })),
    answers((response, request) => sendFile({ ...request, ifRange: undefined }, response, weights, etag.ETag)),
  );
  await expectFiles(await hub.open());
  expect(asked().at(-1)!.range).toBe('0-');
});

test('bytes of before that turn out wrong are fetched again, once', async () => {
  await leave(partialOf(0), noise(400_000, 5));
  await expectFiles(await hub.open());
  expect(asked().map(({ range }) => range)).toEqual(['400000-', '0-']);
});

test('more bytes of before than the file has are dropped', async () => {
  await leave(partialOf(0), noise(3_000_001, 5));
  await expectFiles(await hub.open());
  expect(asked().map(({ range }) => range)).toEqual(['0-']);
});

test('servers in trouble are asked again, as late as they say', async () => {
  const times: number[] = [];
  const busy = (status: number, wait: string) =>
    answers((response) => {
      times.push(Date.now());
      refuse(response, status, '', { 'Retry-After': wait });
    });
  const limited = answers((response) => {
    times.push(Date.now());
    refuse(response, 429, '', { RateLimit: '"api";r=0;t=1' });
  });
  const inTwoSeconds = new Date(Date.now() + 2500).toUTCString();
  hub.faults(busy(429, '1'), busy(503, inTwoSeconds), limited, () => {
    times.push(Date.now());
    return false;
  });
  await expectFiles(await hub.open({ retries: 3 }));
  expect(times[3] - times[2]).toBeGreaterThanOrEqual(990);
  expect(times[1] - times[0]).toBeGreaterThanOrEqual(990);
  // A date has no parts of a second.
  expect(times[2]).toBeGreaterThanOrEqual(Date.parse(inTwoSeconds) - 20);
});
