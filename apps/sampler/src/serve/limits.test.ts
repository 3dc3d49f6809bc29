/** @file What a request may cost, and what ends it early. */
import { deflateSync } from 'node:zlib';
import OpenAI, { RateLimitError } from 'openai';
import sharp from 'sharp';
import type { Observed } from './testing/observed.js';
import { observed } from './testing/observed.js';
import { rawConnection } from './testing/raw-request.js';
import { tinyModel, tinyServers } from './testing/tiny-server.js';

const servers = tinyServers();
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A server whose model takes some milliseconds for each step, and counts them. */
async function slowServer(
  limits: object = {},
  milliseconds = 5,
): Promise<Observed & Awaited<ReturnType<typeof servers.start>>> {
  const { model, ...counts } = observed(tinyModel(servers.backend), milliseconds);
  const server = await servers.start({ models: [model], limits });
  return { ...server, ...counts };
}

const post = (address: string, path: string, body: unknown, init: RequestInit = {}) =>
  fetch(address + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...init,
  });
const long = { prompt: 'x', num_inference_steps: 200, seed: 1 };
/** Waits until it is so. */
async function until(isSo: () => boolean, seconds = 20): Promise<void> {
  for (let i = 0; !isSo(); i++) {
    if (i > seconds * 100) throw new Error('it did not come');
    await pause(10);
  }
}

describe('a client that goes', () => {
  test.each([
    ['/v1/images/generations', { ...long, stream: true, partial_images: 3 }],
    ['/v1/images/generations', { ...long, n: 3 }],
    [
      '/v1/chat/completions',
      { messages: [{ role: 'user', content: 'x' }], modalities: ['image'], num_inference_steps: 200 },
    ],
    [
      '/v1/responses',
      {
        input: 'x',
        stream: true,
        tools: [{ type: 'image_generation', num_inference_steps: 200 }],
        tool_choice: 'required',
      },
    ],
  ])('%s: ends the work', async (path, body) => {
    const server = await slowServer();
    const controller = new AbortController();
    const answer = post(server.address, path, body, { signal: controller.signal });
    void answer.catch(() => {});
    await until(() => server.steps() >= 3);
    controller.abort();
    await until(() => server.busy().running === 0);
    const steps = server.steps();
    await pause(100);
    expect(server.steps()).toBe(steps);
    expect(steps).toBeLessThan(150);
    expect(server.ended()).toBe(server.begun());
    expect(server.logged).toEqual([]);
  });

  test('the official client, by leaving its loop, and an edit', async () => {
    const server = await slowServer();
    const client = new OpenAI({ baseURL: `${server.address}/v1`, apiKey: 'none', maxRetries: 0 });
    const given = { ...long, stream: true as const, partial_images: 3 };
    for await (const event of await client.images.generate(given)) {
      expect(event.type).toBe('image_generation.partial_image');
      break;
    }
    await until(() => server.busy().running === 0);
    expect(server.steps()).toBeLessThan(190);
    const before = server.steps();
    const image = new File([new Uint8Array(await picture(4, 4))], 'a.png', { type: 'image/png' });
    for await (const _ of await client.images.edit({ ...given, image })) break;
    await until(() => server.busy().running === 0);
    expect(server.steps() - before).toBeLessThan(190);
  });

  test('also where the work never waits for anything', async () => {
    const server = await slowServer({}, 0);
    const controller = new AbortController();
    const answer = post(server.address, '/v1/images/generations', { ...long, n: 10 }, { signal: controller.signal });
    void answer.catch(() => {});
    await until(() => server.steps() >= 3);
    controller.abort();
    await until(() => server.busy().running === 0);
    expect(server.steps()).toBeLessThan(1500);
    expect(server.ended()).toBe(server.begun());
  });

  test('while it waits, it leaves the queue, and nothing of it is done', async () => {
    const server = await slowServer({ concurrency: 1, queue: 1 });
    const [running, waiting] = [new AbortController(), new AbortController()];
    void post(server.address, '/v1/images/generations', long, { signal: running.signal }).catch(() => {});
    await until(() => server.busy().running === 1);
    void post(server.address, '/v1/images/generations', long, { signal: waiting.signal }).catch(() => {});
    await until(() => server.busy().waiting === 1);
    waiting.abort();
    await until(() => server.busy().waiting === 0);
    running.abort();
    await until(() => server.busy().running === 0);
    expect(server.begun()).toBe(1);
  });
});

test('one more than may wait: 429 with Retry-After, and the client throws RateLimitError; afterwards all is well', async () => {
  const server = await slowServer({ concurrency: 1, queue: 1 });
  const short = { ...long, num_inference_steps: 150 };
  const first = post(server.address, '/v1/images/generations', short);
  await until(() => server.busy().running === 1);
  const second = post(server.address, '/v1/images/generations', short);
  await until(() => server.busy().waiting === 1);
  const third = await post(server.address, '/v1/images/generations', long);
  expect(third.status).toBe(429);
  expect(Number(third.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(await third.json()).toMatchObject({ error: { type: 'requests', code: 'rate_limit_exceeded', param: null } });
  const client = new OpenAI({ baseURL: `${server.address}/v1`, apiKey: 'none', maxRetries: 0 });
  await expect(client.images.generate({ prompt: 'x' })).rejects.toBeInstanceOf(RateLimitError);
  const answers = await Promise.all([first, second]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  // Retried, as the client does by itself.
  const patient = new OpenAI({ baseURL: `${server.address}/v1`, apiKey: 'none' });
  expect((await patient.images.generate({ prompt: 'x' })).data).toHaveLength(1);
});

test('what takes too long is cancelled: 504, or the last event of a stream', async () => {
  const server = await slowServer({ timeoutSeconds: 1 }, 400);
  const four = { ...long, num_inference_steps: 4 };
  const answer = await post(server.address, '/v1/images/generations', four);
  expect(answer.status).toBe(504);
  expect(answer.headers.get('x-should-retry')).toBe('false');
  expect(await answer.json()).toMatchObject({ error: { type: 'server_error', code: 'timeout' } });
  const streamed = await post(server.address, '/v1/images/generations', { ...four, stream: true, partial_images: 3 });
  const text = await streamed.text();
  expect(streamed.status).toBe(200);
  expect(text).toMatch(/event: image_generation\.partial_image\n/);
  const last = text.trim().split('\n\n').at(-1)!;
  expect(last).toMatch(/^event: error\ndata: \{"error":\{.*"code":"timeout"\}\}$/);
  const steps = server.steps();
  await pause(500);
  expect(server.steps()).toBe(steps);
  const metrics = await (await fetch(`${server.address}/metrics`)).text();
  expect(metrics).toContain('transfusion_cancelled_total{reason="timeout"} 2');
  const client = new OpenAI({ baseURL: `${server.address}/v1`, apiKey: 'none', maxRetries: 0 });
  const tools = [{ type: 'image_generation' as const, num_inference_steps: 4 }];
  const read = async () => {
    const given = { input: 'x', tools, tool_choice: 'required' as const, stream: true as const };
    for await (const _ of await client.responses.create(given));
  };
  await expect(read()).rejects.toMatchObject({ code: 'timeout', message: expect.stringContaining('cancelled') });
});

test('a body that is too large is refused, of each kind', async () => {
  const server = await servers.start({ limits: { bodyBytes: 10_000 } });
  const large = await post(server.address, '/v1/images/generations', { prompt: 'x'.repeat(20_000) });
  expect([large.status, await large.json()]).toEqual([
    413,
    { error: expect.objectContaining({ code: 'request_too_large' }) },
  ]);
  const form = new FormData();
  form.set('prompt', 'x');
  form.set('image', new Blob([new Uint8Array(20_000)]), 'a.png');
  const upload = await fetch(`${server.address}/v1/images/edits`, { method: 'POST', body: form });
  expect([upload.status, await upload.json()]).toEqual([
    413,
    { error: expect.objectContaining({ code: 'request_too_large' }) },
  ]);
  const many = new FormData();
  for (let i = 0; i < 4; i++) many.append('image', new Blob([new Uint8Array(4000)]), `${i}.png`);
  expect((await fetch(`${server.address}/v1/images/edits`, { method: 'POST', body: many })).status).toBe(413);
});

test('far more text, or far more pictures, than any model takes', async () => {
  const server = await servers.start();
  const url = `data:image/png;base64,${(await picture(4, 4)).toString('base64')}`;
  const text = { role: 'user', content: 'x'.repeat(32_000) };
  const image = { role: 'user', content: [{ type: 'image_url', image_url: { url } }] };
  for (const messages of [new Array(9).fill(text), new Array(65).fill(image)]) {
    const answer = await post(server.address, '/v1/chat/completions', { messages });
    expect([answer.status, await answer.json()]).toEqual([
      400,
      {
        error: expect.objectContaining({
          code: 'context_length_exceeded',
          message: expect.stringContaining('the most is'),
        }),
      },
    ]);
  }
});

describe('pictures that are larger than their files', () => {
  const asked = (url: string) => ({
    messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
    max_tokens: 1,
  });
  const codeOf = async (answer: Response) => ({
    status: answer.status,
    ...((await answer.json()) as { error: object }).error,
  });

  test('are refused by what their header says', async () => {
    const server = await servers.start();
    for (const [width, height] of [
      [30_000, 30_000],
      [20_000, 1],
      [1, 20_000],
      [6000, 5000],
    ]) {
      const before = process.memoryUsage().rss;
      const url = `data:image/png;base64,${bomb(width, height).toString('base64')}`;
      const answer = await post(server.address, '/v1/chat/completions', asked(url));
      expect(await codeOf(answer)).toMatchObject({
        status: 400,
        code: 'image_too_large',
        param: 'messages[0].content[0].image_url.url',
      });
      const form = new FormData();
      form.set('prompt', 'x');
      form.set('image', new Blob([new Uint8Array(bomb(width, height))]), 'a.png');
      const upload = await fetch(`${server.address}/v1/images/edits`, { method: 'POST', body: form });
      expect(await codeOf(upload)).toMatchObject({ status: 400, code: 'image_too_large', param: 'image' });
      expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20);
    }
  });

  test('a header that lies, damage, other kinds, addresses', async () => {
    const server = await servers.start();
    const lying = bomb(4, 4, 30_000);
    const cut = (await picture(64, 64)).subarray(0, 200);
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>');
    for (const [bytes, code] of [
      [lying, 'image_parse_error'],
      [cut, 'image_parse_error'],
      [svg, 'invalid_image_format'],
      [Buffer.from('hello'), 'invalid_image_format'],
    ] as const) {
      const answer = await post(
        server.address,
        '/v1/chat/completions',
        asked(`data:image/png;base64,${bytes.toString('base64')}`),
      );
      expect(await codeOf(answer)).toMatchObject({ status: 400, code });
    }
    for (const url of [
      'http://127.0.0.1/a.png',
      'file:///etc/passwd',
      '/etc/passwd',
      'data:image/png,x',
      'data:image/png;base64,!',
    ]) {
      expect(await codeOf(await post(server.address, '/v1/chat/completions', asked(url)))).toMatchObject({
        status: 400,
      });
    }
    expect(server.logged).toEqual([]);
  });
});

describe('stopping', () => {
  test('what runs ends, what comes is refused, then nobody listens', async () => {
    const server = await slowServer();
    const running = post(server.address, '/v1/images/generations', { ...long, num_inference_steps: 60 });
    // Kept open, for a request that comes later.
    const idle = rawConnection(server.address, 'GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await until(() => server.busy().running === 1 && idle.text().includes('200 OK'));
    const stopped = server.stop(30);
    await idle.closed;
    const answer = await running;
    expect(answer.status).toBe(200);
    expect(((await answer.json()) as { data: unknown[] }).data).toHaveLength(1);
    await stopped;
    await expect(fetch(`${server.address}/health`)).rejects.toThrow();
  });

  test('what runs too long is cancelled, and told so', async () => {
    const server = await slowServer();
    const answers = [
      post(server.address, '/v1/images/generations', long),
      post(server.address, '/v1/images/generations', {
        ...long,
        stream: true,
        partial_images: 3,
        num_inference_steps: 150,
      }),
    ];
    await until(() => server.steps() > 120);
    await server.stop(0.05);
    const [plain, streamed] = await Promise.all(answers);
    expect(plain.status).toBe(503);
    expect(await plain.json()).toMatchObject({ error: { code: 'stopping' } });
    expect(await streamed.text()).toMatch(/event: error\ndata: \{"error":.*"code":"stopping"/);
    expect(server.busy()).toEqual({ running: 0, waiting: 0 });
  });
});

function picture(width: number, height: number): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: '#336699' } })
    .png()
    .toBuffer();
}

/** A PNG file of a few bytes that says of itself that it is large; its lines are all zeros, as many as there are. */
function bomb(width: number, height: number, lines = Math.min(height, 64)): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([1, 0], 8);
  const data = deflateSync(Buffer.alloc(lines * (1 + Math.ceil(width / 8))));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
