/** @file Servers and networks as they are: in parts, whole, wrong, slow to come back, and hostile. */
import type { RequestListener } from 'node:http';
import { gzipSync } from 'node:zlib';
import { FolderReader, UrlSource, type UrlSourceOptions, writeSafetensors } from './index.js';
import {
  contentRange,
  end,
  type FileServer,
  type Files,
  fileListener,
  fileOf,
  rangeOf,
  serve,
} from './testing/file-server.js';

const text = (value: string) => new TextEncoder().encode(value);
const weights = Float32Array.from({ length: 60_000 }, (_, i) => Math.sin(i));
const tensors = new Map([['w', { shape: [weights.length], data: weights }]]);
const files: Files = { 'config.json': text('{"dim":2}'), 'model.safetensors': writeSafetensors(tensors) };
const MODEL = files['model.safetensors'];
const PAGE = '<!doctype html><title>An app</title>';

let server: FileServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** A source of that server; nothing is tried again unless a test says so. */
async function open(listener: RequestListener, options: UrlSourceOptions = {}): Promise<UrlSource> {
  server = await serve(listener);
  return new UrlSource(server.url, { retries: 0, ...options });
}
const readWeights = async (source: UrlSource) =>
  (await new FolderReader(source).readTensors('model.safetensors')).get('w')?.data;

describe('what is asked of a server', () => {
  test('in parts: each file once, then what is not there yet', async () => {
    const source = await open(fileListener(files));
    const reader = new FolderReader(source);
    expect(await reader.has('config.json')).toBe(true);
    expect(await reader.readText('config.json')).toBe('{"dim":2}');
    expect(await readWeights(source)).toEqual(weights);
    const begin = MODEL.length - 4 * weights.length;
    expect(server?.requests).toEqual([
      'GET config.json 0-65535',
      'GET model.safetensors 0-65535',
      `GET model.safetensors ${begin}-${MODEL.length - 1}`,
    ]);
  });

  test('whole, where it gives no parts: once, when its bytes are needed', async () => {
    const source = await open(fileListener(files, { ranges: false }));
    expect(await readWeights(source)).toEqual(weights);
    expect(await readWeights(source)).toEqual(weights);
    expect(server?.requests).toEqual(['GET model.safetensors 0-65535', 'GET model.safetensors 0-']);
  });

  test('whole, where it gives parts no longer', async () => {
    let asked = 0;
    const source = await open((request, response) => fileListener(files, { ranges: asked++ === 0 })(request, response));
    expect(await readWeights(source)).toEqual(weights);
    expect(server?.requests).toHaveLength(3);
  });

  test('headers and what follows a question mark are sent with each file, and not told in messages', async () => {
    const seen: unknown[] = [];
    server = await serve((request, response) => {
      seen.push([request.url, request.headers.authorization]);
      end(response, 401);
    });
    const source = new UrlSource(`${server.url}/?key=secret#x`, { headers: { authorization: 'Bearer token' } });
    expect(source.name).toBe(server.url);
    const error = await source.size('vae/config.json').catch(String);
    expect(error).toMatch(/CHECKPOINT_READ_FAILED: .*vae\/config\.json: the server answers 401 .*say who you are/s);
    expect(error).not.toMatch(/secret|token/);
    expect(seen).toEqual([['/models/tiny/vae/config.json?key=secret', 'Bearer token']]);
  });

  test('a redirection is followed, as on Hugging Face', async () => {
    const direct = fileListener(files);
    const source = await open((request, response) => {
      if (request.url?.endsWith('?signed')) direct(request, response);
      else end(response, 302, { Location: `${request.url}?signed` });
    });
    expect(await readWeights(source)).toEqual(weights);
  });

  test('compressed on the way, or without its length', async () => {
    const source = await open((request, response) => {
      const file = files[fileOf(request)];
      if (fileOf(request) === 'config.json') end(response, 200, { 'Content-Encoding': 'gzip' }, gzipSync(file));
      else response.write(file.subarray(0, 1000), () => response.end(file.subarray(1000)));
    });
    expect(await new FolderReader(source).readText('config.json')).toBe('{"dim":2}');
    expect(await readWeights(source)).toEqual(weights);
    expect(server?.requests).toHaveLength(2);
  });

  // To a page of another origin, a server tells the range only where it exposes that header.
  test.each(['HEAD is answered', 'HEAD is not'])('the range that is sent is not told; %s', async (how) => {
    const inParts = fileListener(files);
    const source = await open((request, response) => {
      if (request.method === 'HEAD' && how !== 'HEAD is answered') return end(response, 405);
      const writeHead = response.writeHead.bind(response) as (status: number, headers: object) => typeof response;
      const hide = (status: number, { 'Content-Range': _, ...headers }: Record<string, unknown>) =>
        writeHead(status, headers);
      inParts(request, Object.assign(response, { writeHead: hide }));
    });
    expect(await readWeights(source)).toEqual(weights);
    expect(await source.size('config.json')).toBe(9);
  });

  test('a signal ends it, with its reason', async () => {
    const controller = new AbortController();
    const source = await open(() => controller.abort(new Error('enough')), { signal: controller.signal, retries: 3 });
    await expect(source.has('config.json')).rejects.toThrow('enough');
    await expect(source.size('model.safetensors')).rejects.toThrow('enough');
    expect(server?.requests).toHaveLength(1);
  });

  test.each([
    ['no address', 'CHECKPOINT_ARGUMENT: no address is no address'],
    ['file:///x', 'CHECKPOINT_ARGUMENT: file:///x begins with file:'],
    ['https://me:pw@x.org/m', 'CHECKPOINT_ARGUMENT: https://x.org has a name or a password in it'],
    ['https://x.org/m/model.safetensors', 'CHECKPOINT_ARGUMENT: /m/model.safetensors is the address of a file'],
  ])('the address %p is refused', (address, message) => {
    expect(() => new UrlSource(address)).toThrow(message);
  });
});

describe('faults of the network', () => {
  test('a connection that breaks off is taken up where it did', async () => {
    let breaks = 2;
    const whole = fileListener(files);
    const source = await open(
      (request, response) => {
        const range = rangeOf(request, MODEL.length)!;
        if (range.begin === 0 || breaks-- <= 0) return whole(request, response);
        response.writeHead(206, { 'Content-Length': range.end - range.begin, ...contentRange(range, MODEL.length) });
        response.write(MODEL.subarray(range.begin, range.begin + 50_000), () =>
          setTimeout(() => response.destroy(), 50),
        );
      },
      { retries: 2 },
    );
    expect(await readWeights(source)).toEqual(weights);
    const begins = server?.requests.slice(1).map((request) => Number(/ (\d+)-/.exec(request)?.[1])) ?? [];
    const start = MODEL.length - 4 * weights.length;
    expect(begins).toEqual([start, start + 50_000, start + 100_000]);
  });

  test('a whole file is fetched again', async () => {
    let breaks = 1;
    const whole = fileListener(files, { ranges: false });
    const source = await open(
      (request, response) => {
        if (request.headers.range !== 'bytes=0-' || breaks-- <= 0) return whole(request, response);
        response.writeHead(200, { 'Content-Length': MODEL.length });
        response.write(MODEL.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 50));
      },
      { retries: 1 },
    );
    expect(await readWeights(source)).toEqual(weights);
    expect(server?.requests).toHaveLength(3);
  });

  test.each(['no answer', 'no more of it'])('%s for a while: asked again', async (what) => {
    let stalls = 1;
    const whole = fileListener(files);
    const source = await open(
      (request, response) => {
        if (rangeOf(request, MODEL.length)?.begin === 0 || stalls-- <= 0) return whole(request, response);
        const range = rangeOf(request, MODEL.length)!;
        if (what === 'no answer') return;
        response.writeHead(206, { 'Content-Length': range.end - range.begin, ...contentRange(range, MODEL.length) });
        response.write(MODEL.subarray(range.begin, range.begin + 1000));
      },
      { retries: 1, idleSeconds: 0.5 },
    );
    expect(await readWeights(source)).toEqual(weights);
    expect(server?.requests).toHaveLength(3);
    stalls = Infinity;
    await expect(readWeights(source)).rejects.toThrow(/^CHECKPOINT_READ_FAILED: .*: nothing came for 0\.5 s\n/);
  });

  test('an answer that says later is asked again; one that does so for ever is an error', async () => {
    let busy = 1;
    const whole = fileListener(files);
    const source = await open((request, response) => (busy-- > 0 ? end(response, 503) : whole(request, response)), {
      retries: 1,
    });
    expect(await source.has('config.json')).toBe(true);
    busy = Infinity;
    await expect(source.size('model.safetensors')).rejects.toThrow(
      /^CHECKPOINT_READ_FAILED: cannot read http.*model\.safetensors: the server answers 503 Service Unavailable/,
    );
    expect(server?.requests).toHaveLength(4);
    // A fault is not remembered.
    busy = 0;
    expect(await source.size('model.safetensors')).toBe(MODEL.length);
  });

  test('nobody answers', async () => {
    const source = await open(fileListener(files));
    await server?.close();
    server = undefined;
    await expect(source.has('config.json')).rejects.toThrow(
      /^CHECKPOINT_READ_FAILED: cannot read http.*config\.json: fetch failed: .*\n {2}fix: check address and connection/,
    );
  });
});

describe('what is no file', () => {
  test.each([
    [401, /^CHECKPOINT_READ_FAILED: .*401 Unauthorized\n.*Hugging Face answers so too where there is no such model/],
    [403, /^CHECKPOINT_READ_FAILED: .*403 Forbidden\n.*accept the model's terms/],
    [418, /^CHECKPOINT_READ_FAILED: .*418/],
  ])('an answer %d', async (status, message) => {
    const source = await open((_, response) => end(response, status));
    await expect(source.has('config.json')).rejects.toThrow(message);
    await expect(new FolderReader(source).readText('config.json')).rejects.toThrow(message);
  });

  test('404: not there, and what to give', async () => {
    const source = await open((_, response) => end(response, 404, {}, PAGE));
    expect(await source.has('config.json')).toBe(false);
    await expect(new FolderReader(source).readText('config.json')).rejects.toThrow(
      `CHECKPOINT_MISSING: ${source.name} has no config.json\n  fix: give the address of a folder of a model`,
    );
    await expect(readWeights(source)).rejects.toThrow(/CHECKPOINT_MISSING: .* has no model\.safetensors/);
  });

  test('403 from a bucket that has given another file: not there', async () => {
    const given = fileListener(files);
    const source = await open((request, response) => {
      if (fileOf(request) in files) given(request, response);
      else end(response, 403);
    });
    await expect(source.has('none')).rejects.toThrow('403');
    expect(await source.has('config.json')).toBe(true);
    expect(await source.has('none')).toBe(false);
  });

  test('a web page under every name, as a single-page server gives', async () => {
    const source = await open((_, response) => end(response, 200, { 'Content-Type': 'text/html' }, PAGE));
    expect(await source.has('config.json')).toBe(false);
    const reader = new FolderReader(source);
    await expect(reader.readText('config.json')).rejects.toThrow(/^CHECKPOINT_FORMAT: .*config\.json is a web page/);
    await expect(readWeights(source)).rejects.toThrow(/^CHECKPOINT_FORMAT: .*model\.safetensors is a web page/);
    expect(await reader.readText('index.html')).toBe(PAGE);
  });

  test('a Git LFS pointer', async () => {
    const pointer = text('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n');
    const source = await open(fileListener({ 'model.safetensors': pointer }));
    await expect(readWeights(source)).rejects.toThrow(/^CHECKPOINT_FORMAT: .*a Git LFS pointer/);
  });
});

describe('answers that are wrong', () => {
  /** The first bytes of the model as they are, then what `second` does. */
  const then = (second: RequestListener): RequestListener => {
    const first = fileListener(files);
    return (request, response) => (rangeOf(request, 1)?.begin === 0 ? first : second)(request, response);
  };
  const claim = (response: Parameters<RequestListener>[1], begin: number, bytes: Uint8Array, total = MODEL.length) =>
    end(response, 206, contentRange({ begin, end: begin + bytes.length }, total), bytes);

  test.each<[string, RegExp, RequestListener]>([
    [
      'another part than was asked for',
      /^CHECKPOINT_FORMAT: .*asked for bytes from \d+ on, the server sends them from 0 on/,
      then((_, response) => claim(response, 0, MODEL.subarray(0, 240_000))),
    ],
    [
      'more than was asked for',
      /^CHECKPOINT_FORMAT: .*the server sends more than the 240000 bytes it should/,
      then((request, response) => claim(response, rangeOf(request, MODEL.length)!.begin, new Uint8Array(240_001))),
    ],
    [
      'less than was asked for',
      /^CHECKPOINT_READ_FAILED: .*the connection broke off after \d+ of \d+ bytes/,
      then((request, response) => claim(response, rangeOf(request, MODEL.length)!.begin, new Uint8Array(9))),
    ],
    [
      'a part of another version',
      /^CHECKPOINT_FORMAT: .*was changed while it was read: it had \d+ bytes, now 999999/,
      then((request, response) => claim(response, rangeOf(request, 0)!.begin, new Uint8Array(9), 999_999)),
    ],
    [
      'first bytes that are others',
      /^CHECKPOINT_FORMAT: .*asked for bytes from 0 on, the server sends them from 7 on/,
      (_, response) => claim(response, 7, MODEL.subarray(7, 65_536 + 7)),
    ],
    [
      'a length that does not come',
      /^CHECKPOINT_READ_FAILED: .*model\.safetensors: /,
      (_, response) => {
        response.writeHead(200, { 'Content-Length': 2 ** 40 });
        response.write(MODEL.subarray(0, 9), () => setTimeout(() => response.destroy(), 20));
      },
    ],
  ])('%s', async (_, message, listener) => {
    await expect(readWeights(await open(listener))).rejects.toThrow(message);
  });

  test('a version by its tag', async () => {
    let tag = '"1"';
    const given = fileListener(files);
    const source = await open((request, response) => {
      response.setHeader('ETag', tag);
      given(request, response);
    });
    const weightsOf = await new FolderReader(source).openTensors('model.safetensors');
    tag = '"2"';
    await expect(weightsOf.readAll()).rejects.toThrow(/CHECKPOINT_FORMAT: .*was changed while it was read/);
  });

  /** Claims a file of so many bytes, of which there are only the first. */
  const claiming = (total: number, start: Uint8Array): RequestListener => {
    return (_, response) => claim(response, 0, Buffer.concat([start], 65_536), total);
  };

  test('petabytes that are claimed are not allocated', async () => {
    const size = 2 ** 49;
    const json = JSON.stringify({ w: { dtype: 'F32', shape: [size / 4], data_offsets: [0, size] } });
    const head = new Uint8Array(8);
    new DataView(head.buffer).setBigUint64(0, BigInt(json.length), true);
    const source = await open(claiming(8 + json.length + size, Buffer.concat([head, text(json)])));
    await expect(readWeights(source)).rejects.toThrow(
      /^CHECKPOINT_READ_FAILED: .*model\.safetensors: its 562949953421312 bytes do not fit into memory at once/,
    );
    await server?.close();
    const huge = await open(claiming(size, text('{')));
    await expect(new FolderReader(huge).readText('config.json')).rejects.toThrow(
      `CHECKPOINT_FORMAT: ${huge.name}/config.json has 562949953421312 bytes, the limit for its kind is`,
    );
  });
});
