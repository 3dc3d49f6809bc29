/** @file Requests that no client should send: always refused in the API's shape or answered, never a fault of the server. */
import fc from 'fast-check';
import sharp from 'sharp';
import { z } from 'zod';
import { rawAnswer, rawConnection } from './testing/raw-request.js';
import { type TinyServer, tinyServers } from './testing/tiny-server.js';

/** Requests of each kind. The default is for every day; thousands are for a night. */
const RUNS = Number(process.env.TRANSFUSION_FUZZ_RUNS ?? 100);

const servers = tinyServers();
let server: TinyServer;
const pictures: Buffer[] = [];
beforeAll(async () => {
  server = await servers.start({ limits: { bodyBytes: 256 * 1024, pixels: 100_000, stallSeconds: 2 } });
  const picture = sharp({
    create: { width: 24, height: 16, channels: 4, background: { r: 90, g: 20, b: 200, alpha: 0.5 } },
  });
  for (const format of ['png', 'jpeg', 'webp', 'gif'] as const)
    pictures.push(await picture.clone().toFormat(format).toBuffer());
});
afterEach(async () => {
  expect(server.logged).toEqual([]);
  expect((await fetch(`${server.address}/health`)).status).toBe(200);
});
afterAll(() => expect(server.busy()).toEqual({ running: 0, waiting: 0 }));

const errorSchema = z.strictObject({
  error: z.strictObject({
    message: z.string().min(1).max(1000),
    type: z.enum(['invalid_request_error', 'requests']),
    param: z.string().max(300).nullable(),
    code: z.string().nullable(),
  }),
});

/** Answered, or refused as it should be. */
function expectSound(status: number, body: unknown): void {
  if (status === 200) return;
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
  errorSchema.parse(body);
}

async function expectSoundAnswer(answer: Response): Promise<void> {
  const text = await answer.text();
  if (answer.status === 200) expect(text).not.toContain('event: error');
  expectSound(answer.status, answer.status === 200 ? undefined : JSON.parse(text));
}

const post = (path: string, body: BodyInit, headers: Record<string, string> = {}) =>
  fetch(server.address + path, { method: 'POST', body, headers });
const json = { 'content-type': 'application/json' };

const draw = { num_inference_steps: 1, guidance_scale: 2, negative_prompt: 'b' };
const url = () => `data:image/png;base64,${pictures[0].toString('base64')}`;
const bodies = (): Record<string, object> => ({
  '/v1/images/generations': {
    model: 'tiny',
    prompt: 'a',
    n: 1,
    size: '4x4',
    seed: 1,
    stream: true,
    partial_images: 2,
    ...draw,
  },
  '/v1/chat/completions': {
    ...{
      model: 'tiny',
      max_tokens: 2,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 3,
      min_p: 0.1,
      stop: ['z'],
      n: 1,
      stream: false,
    },
    messages: [
      { role: 'system', content: 'a' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'b' },
          { type: 'image_url', image_url: { url: url() } },
        ],
      },
    ],
    ...{ modalities: ['text', 'image'], ...draw },
  },
  '/v1/responses': {
    ...{ model: 'tiny', max_output_tokens: 2, instructions: 'a', stream: true },
    input: [
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'b' },
          { type: 'input_image', image_url: url() },
        ],
      },
    ],
    ...{ tools: [{ type: 'image_generation', partial_images: 1, ...draw }], tool_choice: 'auto' },
  },
});

const NASTY_TEXTS = [
  ...['', '\0', '\ud800', '\udfff\ud800', '../../etc/passwd', '..%2f', '__proto__', 'constructor', '💣'.repeat(50)],
  ...[
    '<|image:4x4|>',
    '<BOI>',
    '\r\nset-cookie: a=b',
    "'; drop table",
    '#{7*7}',
    '99999999999999999999x1',
    '4x4',
    'auto',
  ],
  ...['data:', 'data:image/png;base64,', 'data:image/png;base64,AAAA', 'http://169.254.169.254/', 'file:///etc/passwd'],
];
const NASTY_NUMBERS = [
  0,
  -0,
  -1,
  1e308,
  -1e308,
  5e-324,
  2 ** 53,
  2 ** 53 - 1,
  -(2 ** 53),
  2 ** 31,
  0.1,
  200,
  201,
  1024,
];

/** Stands for lists in lists, far more than a recursion can follow. */
const DEEP = '<deep>';

const nasty = fc.oneof(
  fc.constantFrom<unknown>(...NASTY_TEXTS, ...NASTY_NUMBERS, null, true, false, [], {}, [[]], [null]),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.jsonValue({ maxDepth: 4 }),
  fc.constantFrom(1000, 40_000).map((length) => 'x'.repeat(length)),
  fc.constant(DEEP),
);

type Edit = { at: number; kind: 'set' | 'remove' | 'add'; value: unknown; key: string };
const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.record({
    at: fc.nat(10_000),
    kind: fc.constantFrom('set', 'set', 'set', 'remove', 'add'),
    value: nasty,
    key: fc.constantFrom(...NASTY_TEXTS, 'extra', 'n', 'stream', 'size', 'tools', 'store'),
  }),
  { minLength: 1, maxLength: 3 },
);

/** A body with some of its values, wherever they are, replaced, removed or joined by others. */
function edited(body: object, changes: readonly Edit[]): string {
  const copy = structuredClone(body);
  for (const { at, kind, value, key } of changes) {
    const places: [Record<string, unknown>, string][] = [];
    const walk = (node: unknown) => {
      if (typeof node !== 'object' || node === null) return;
      for (const name of Object.keys(node)) {
        places.push([node as Record<string, unknown>, name]);
        if (places.length < 500) walk((node as Record<string, unknown>)[name]);
      }
    };
    walk(copy);
    if (places.length === 0) continue;
    const [parent, name] = places[at % places.length];
    if (kind === 'remove') delete parent[name];
    else
      Object.defineProperty(parent, kind === 'set' ? name : key, {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
  return JSON.stringify(copy).replaceAll(JSON.stringify(DEEP), '['.repeat(20_000) + ']'.repeat(20_000));
}

test('bodies of JSON with fields that do not fit', async () => {
  const paths = Object.keys(bodies());
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), edits, async (path, changes) => {
      await expectSoundAnswer(await post(path, edited(bodies()[path], changes), json));
    }),
    { numRuns: RUNS },
  );
});

test('bodies that are no JSON, of all kinds', async () => {
  const types = [
    'application/json',
    'application/json; charset=utf-16',
    'text/plain',
    'multipart/form-data',
    '*/*',
    'multipart/form-data; boundary=b',
    'application/json;;',
    '',
  ];
  const starts = [
    '',
    '{',
    '{"prompt":',
    '[',
    '--b\r\n',
    '--b\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\n',
  ];
  const paths = [...Object.keys(bodies()), '/v1/images/edits'];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...paths),
      fc.constantFrom(...types),
      fc.constantFrom(...starts),
      fc.uint8Array({ maxLength: 300 }),
      async (path, type, start, bytes) => {
        const body = Buffer.concat([Buffer.from(start), bytes]);
        await expectSoundAnswer(await post(path, new Uint8Array(body), type === '' ? {} : { 'content-type': type }));
      },
    ),
    { numRuns: RUNS },
  );
});

test('pictures that are damaged anywhere', async () => {
  const damage = fc.record({
    which: fc.nat(3),
    cut: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 3 }),
    flips: fc.array(fc.tuple(fc.double({ min: 0, max: 0.9999, noNaN: true }), fc.nat(255)), { maxLength: 6 }),
    mask: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ which, cut, flips, mask }) => {
      const whole = pictures[which];
      const bytes = new Uint8Array(whole.subarray(0, cut === null ? undefined : Math.floor(cut * whole.length)));
      for (const [at, value] of flips) if (bytes.length > 0) bytes[Math.floor(at * bytes.length)] = value;
      const form = new FormData();
      form.set('prompt', 'a');
      form.set('num_inference_steps', '1');
      form.set('image', new Blob([mask ? new Uint8Array(pictures[0]) : bytes]), 'a');
      if (mask) form.set('mask', new Blob([bytes]), 'm');
      await expectSoundAnswer(await fetch(`${server.address}/v1/images/edits`, { method: 'POST', body: form }));
    }),
    { numRuns: RUNS },
  );
});

test('forms with fields that do not fit', async () => {
  const names = [
    'prompt',
    'n',
    'size',
    'image',
    'image[]',
    'mask',
    'model',
    'seed',
    'stream',
    'strength',
    'response_format',
    '__proto__',
    'x',
  ];
  const part = fc.tuple(
    fc.constantFrom(...names),
    fc.oneof(fc.constantFrom(...NASTY_TEXTS, '1', '2', '-1', '1e400', 'true'), fc.string()),
    fc.boolean(),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 6 }), async (parts) => {
      const form = new FormData();
      form.set('prompt', 'a');
      form.set('num_inference_steps', '1');
      form.set('image', new Blob([new Uint8Array(pictures[0])]), 'a.png');
      for (const [name, value, isFile] of parts) {
        if (isFile) form.append(name, new Blob([value]), value);
        else form.append(name, value);
      }
      await expectSoundAnswer(await fetch(`${server.address}/v1/images/edits`, { method: 'POST', body: form }));
    }),
    { numRuns: RUNS },
  );
});

test('names of models are names: whatever they say, no file is looked for', async () => {
  const name = fc.oneof(
    fc.constantFrom('.', '..', '/', 'tiny/', './tiny', 'tiny\0', 'TINY', '/etc', '~', ...NASTY_TEXTS),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(name, async (model) => {
      fc.pre(model !== 'tiny');
      const answer = await post('/v1/images/generations', JSON.stringify({ model, prompt: 'a' }), json);
      const body = errorSchema.parse(await answer.json());
      const known = model === '' || model.length > 256 ? 400 : 404;
      expect([answer.status, body.error.param]).toEqual([known, 'model']);
      const path = await fetch(`${server.address}/v1/models/${encodeURIComponent(Buffer.from(model).toString())}`);
      expect([400, 404]).toContain(path.status);
      errorSchema.parse(await path.json());
    }),
    { numRuns: RUNS },
  );
});

test('lines of requests and headers', async () => {
  const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH', 'TRACE', 'BREW', 'get');
  const path = fc.oneof(
    fc.constantFrom(
      '/',
      '//',
      '/v1',
      '/v1/',
      '/v1/models/',
      '/v1/models//x',
      '/v1/images/generations',
      '/health',
      '/metrics?',
      '*',
      'http://a/b',
      '/%',
      '/%00',
      '/../..',
      '/v1/models/%ff',
    ),
    fc.webPath(),
    fc.string({ maxLength: 30 }).map((text) => `/${text.replaceAll(/[\s\0]/g, '')}`),
  );
  const header = fc.tuple(
    fc.constantFrom(
      'x-request-id',
      'authorization',
      'content-length',
      'content-type',
      'transfer-encoding',
      'expect',
      'content-encoding',
      'connection',
      'upgrade',
      'origin',
      'range',
      'x-forwarded-for',
      'accept-encoding',
    ),
    fc.oneof(
      fc.constantFrom(
        'chunked',
        '-1',
        '5',
        '0',
        '1e3',
        'gzip',
        '100-continue',
        'upgrade',
        'websocket',
        'bytes=0-',
        'null',
        'identity',
        'Bearer x',
        '{}',
      ),
      fc.string({ maxLength: 30 }).map((text) => text.replaceAll(/[\r\n\0]/g, '')),
    ),
  );
  await fc.assert(
    fc.asyncProperty(method, path, fc.array(header, { maxLength: 4 }), async (verb, target, headers) => {
      const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      const { host } = new URL(server.address);
      const bytes = `${verb} ${target} HTTP/1.1\r\nhost: ${host}\r\n${lines}connection: close\r\n\r\n`;
      const { status, body } = await rawAnswer(server.address, bytes);
      // What waits for a body, or was told that there is nothing to say, has no answer.
      if (Number.isNaN(status)) return;
      if (verb === 'HEAD' || status === 304 || status === 100) expect(status).toBeLessThan(500);
      else expectSound(status, body);
    }),
    { numRuns: Math.ceil(RUNS / 2) },
  );
});

test('many slow clients that never end their requests hold nobody up', async () => {
  const { host } = new URL(server.address);
  const slow = Array.from({ length: 200 }, (_, i) => {
    const begin = `POST /v1/images/generations HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n`;
    return rawConnection(server.address, i % 2 ? begin : `${begin}\r\n{"prompt"`);
  });
  const body = JSON.stringify({ prompt: 'a', num_inference_steps: 1 });
  const begun = performance.now();
  expect((await post('/v1/images/generations', body, json)).status).toBe(200);
  expect(performance.now() - begun).toBeLessThan(10_000);
  for (const { socket } of slow) socket.destroy();
});
