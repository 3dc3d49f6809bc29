/** @file What stands around the routes: keys, hosts, ids, paths, metrics, the description, a page. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { parseKeys } from './http/api-keys.js';
import { startServer } from './server.js';
import { rawAnswer } from './testing/raw-request.js';
import { KEY, tinyModel, tinyServers } from './testing/tiny-server.js';

const servers = tinyServers();
const errorSchema = z.strictObject({
  error: z.strictObject({
    message: z.string().min(1),
    type: z.enum(['invalid_request_error', 'server_error', 'requests']),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});

const contentSchema = z.record(
  z.string(),
  z.object({ schema: z.looseObject({ properties: z.record(z.string(), z.unknown()) }) }),
);
const descriptionSchema = z.object({
  openapi: z.string(),
  paths: z.record(
    z.string(),
    z.object({ post: z.object({ requestBody: z.object({ content: contentSchema }) }).optional() }),
  ),
});

/** An error in OpenAI's shape. */
async function errorOf(answer: Response) {
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(answer.headers.get('x-request-id')).toBeTruthy();
  const { error } = errorSchema.parse(await answer.json());
  return { status: answer.status, ...error };
}

describe('keys', () => {
  test('are needed by all that works, and not by probes', async () => {
    const { address } = await servers.start({ keys: [KEY, 'sk-two'] });
    for (const path of ['/v1/models', '/metrics', '/v1/nothing', '/%76%31/models', '/nothing']) {
      const answer = await fetch(address + path);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      expect(await errorOf(answer)).toMatchObject({ status: 401, type: 'invalid_request_error', code: null });
      for (const authorization of ['Bearer wrong', `bearer ${KEY}x`]) {
        expect(await errorOf(await fetch(address + path, { headers: { authorization } }))).toMatchObject({
          ...{ status: 401, code: 'invalid_api_key' },
        });
      }
      expect((await fetch(address + path, { headers: { authorization: KEY } })).status).toBe(401);
    }
    for (const key of [KEY, 'sk-two']) {
      expect((await fetch(`${address}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
    }
    for (const path of ['/health', '/health/live', '/health/ready', '/openapi.json']) {
      expect((await fetch(address + path)).status).toBe(200);
    }
    // Whatever the request is: nothing of it is read.
    expect((await fetch(`${address}/v1/images/generations`, { method: 'POST', body: '{' })).status).toBe(401);
  });

  test('of a file and of the environment', () => {
    expect(parseKeys('sk-a\r\n# a comment\n\n  sk-b  \nsk-a', 'sk-c, sk-d,,')).toEqual([
      'sk-a',
      'sk-b',
      'sk-c',
      'sk-d',
    ]);
    expect(parseKeys(undefined, undefined)).toEqual([]);
  });

  test('without them nobody else is listened to', async () => {
    const models = [tinyModel(servers.backend)];
    for (const host of ['0.0.0.0', '::', '192.168.1.2', 'example.com']) {
      await expect(startServer({ models, host, port: 0, log: () => {} })).rejects.toMatchObject({
        code: 'SERVE_NEEDS_KEY',
      });
    }
  });

  test('without them, pages of other sites and other names of this machine are refused', async () => {
    const { address } = await servers.start();
    const { port, host } = new URL(address);
    const get = (headers: string) => rawAnswer(address, `GET /v1/models HTTP/1.1\r\n${headers}\r\n\r\n`);
    for (const headers of [
      `host: evil.example:${port}`,
      'host: 127.0.0.1.evil.example',
      `host: ${host}\r\norigin: https://evil.example`,
      `host: ${host}\r\norigin: null`,
      `host: ${host}\r\norigin: http://127.0.0.1:1`,
    ]) {
      expect(await get(headers)).toMatchObject({ status: 403, body: { error: { code: 'forbidden' } } });
    }
    for (const headers of [
      `host: ${host}`,
      `host: localhost:${port}`,
      `host: [::1]:${port}`,
      `host: ${host}\r\norigin: ${address}`,
    ]) {
      expect(await get(headers)).toMatchObject({ status: 200 });
    }
  });
});

test('ids of requests: their own where harmless, else one that is made', async () => {
  const { address } = await servers.start();
  const idOf = async (given?: string) => {
    const answer = await fetch(`${address}/v1/none`, { headers: given === undefined ? {} : { 'x-request-id': given } });
    return answer.headers.get('x-request-id');
  };
  expect(await idOf('job-7.a:b_c')).toBe('job-7.a:b_c');
  for (const given of [undefined, 'a b', '<script>', 'x'.repeat(129), ''])
    expect(await idOf(given)).toMatch(/^req_[0-9a-f]{32}$/);
});

test('paths and methods that are not there', async () => {
  const { address } = await servers.start();
  const get = (path: string, method = 'GET') => fetch(address + path, { method });
  expect(await errorOf(await get('/v1/files?x=1'))).toMatchObject({
    status: 404,
    message: 'Invalid URL (GET /v1/files)',
  });
  expect(await errorOf(await get('/'))).toMatchObject({ status: 404 });
  const wrong = await get('/v1/chat/completions');
  expect(wrong.headers.get('allow')).toBe('POST');
  expect(await errorOf(wrong)).toMatchObject({ status: 405, code: 'method_not_supported' });
  expect(await errorOf(await get('/v1/models/tiny', 'DELETE'))).toMatchObject({ status: 405 });
  expect(await errorOf(await get('/v1/models/..%2F..%2Fetc%2Fpasswd'))).toMatchObject({
    status: 404,
    code: 'model_not_found',
  });
  expect(await errorOf(await get('/v1/models/%zz'))).toMatchObject({ status: 400, code: 'invalid_url' });
  expect((await get('/v1/models', 'HEAD')).status).toBe(200);
});

test('bodies that are none', async () => {
  const { address } = await servers.start();
  const post = (body: string | undefined, type = 'application/json') =>
    fetch(`${address}/v1/images/generations`, { method: 'POST', body, headers: { 'content-type': type } });
  expect(await errorOf(await post('{'))).toMatchObject({ status: 400 });
  expect(await errorOf(await post(''))).toMatchObject({ status: 400, code: 'invalid_json' });
  expect(await errorOf(await post('{"__proto__": {"n": 2}, "prompt": ""}'))).toMatchObject({ status: 400 });
  expect(await errorOf(await post('[]'))).toMatchObject({ status: 400, code: 'invalid_type' });
  expect(await errorOf(await post('prompt=x', 'application/x-www-form-urlencoded'))).toMatchObject({ status: 415 });
  expect(await errorOf(await post('{}', 'text/plain'))).toMatchObject({ status: 415, code: 'unsupported_media_type' });
  const edits = (body: string, type: string) =>
    fetch(`${address}/v1/images/edits`, { method: 'POST', body, headers: { 'content-type': type } });
  expect(await errorOf(await edits('{}', 'application/json'))).toMatchObject({ status: 415 });
  expect(await errorOf(await edits('x', 'multipart/form-data'))).toMatchObject({ status: 400, code: 'invalid_form' });
  expect(await errorOf(await edits('x', 'multipart/form-data; boundary=y'))).toMatchObject({
    status: 400,
    code: 'invalid_form',
  });
});

test('what is no HTTP is answered in the same shape, and the connection closed', async () => {
  const { address } = await servers.start();
  for (const [bytes, status] of [
    ['HELLO\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`, 431],
    ['POST /v1/responses HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n', 400],
  ] as const) {
    const answer = await rawAnswer(address, bytes);
    expect(answer).toMatchObject({ status, head: expect.stringContaining('connection: close') });
    errorSchema.parse(answer.body);
  }
  expect((await fetch(`${address}/health`)).status).toBe(200);
});

test('metrics count what was asked and done, by route', async () => {
  const { address } = await servers.start();
  const body = JSON.stringify({ prompt: 'x', n: 2, num_inference_steps: 3 });
  const headers = { 'content-type': 'application/json' };
  await (await fetch(`${address}/v1/images/generations`, { method: 'POST', headers, body })).text();
  const streamed = JSON.stringify({ prompt: 'x', stream: true });
  await (await fetch(`${address}/v1/images/generations`, { method: 'POST', headers, body: streamed })).text();
  const chat = JSON.stringify({ messages: [{ role: 'user', content: 'x' }], max_tokens: 5, modalities: ['text'] });
  await (await fetch(`${address}/v1/chat/completions`, { method: 'POST', headers, body: chat })).text();
  await fetch(`${address}/some/where`);
  const text = await (await fetch(`${address}/metrics`)).text();
  for (const line of [
    'http_requests_total{route="/v1/images/generations",method="POST",status="200"} 2',
    'http_requests_total{route="none",method="GET",status="404"} 1',
    'denoising_steps_total{model="tiny"} 10',
    'images_total{model="tiny"} 3',
    'generations_running 0',
    'requests_waiting 0',
    'time_to_first_event_seconds_count{route="/v1/images/generations"} 1',
    'http_request_duration_seconds_count{route="/v1/images/generations"} 2',
  ]) {
    expect(text.split('\n')).toContain(`transfusion_${line}`);
  }
  expect(text).toMatch(/text_tokens_total\{model="tiny"\} [1-5]\n/);
});

test('the description names every route, and the fields that are checked', async () => {
  const { address } = await servers.start();
  const description = descriptionSchema.parse(await (await fetch(`${address}/openapi.json`)).json());
  expect(description.openapi).toBe('3.1.0');
  for (const path of ['/v1/images/generations', '/v1/images/edits', '/v1/chat/completions', '/v1/responses']) {
    const { content } = description.paths[path].post!.requestBody;
    const [[type, { schema }]] = Object.entries(content);
    expect(type).toBe(path.endsWith('edits') ? 'multipart/form-data' : 'application/json');
    expect(schema).toMatchObject({ type: 'object', additionalProperties: false });
    expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining(['model', 'stream', 'seed']));
  }
  const { properties } =
    description.paths['/v1/images/generations'].post!.requestBody.content['application/json'].schema;
  expect(properties.n).toMatchObject({ type: 'integer', minimum: 1, maximum: 10, default: 1 });
});

test('a playground: its files, isolated, and nothing beside them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'transfusion-page-'));
  try {
    await writeFile(join(folder, 'index.html'), '<title>page</title>');
    await writeFile(join(folder, '.secret'), 'secret');
    const { address } = await servers.start({ playground: folder });
    const page = await fetch(`${address}/`);
    expect(await page.text()).toBe('<title>page</title>');
    expect(page.headers.get('cross-origin-opener-policy')).toBe('same-origin');
    expect(page.headers.get('cross-origin-embedder-policy')).toBe('require-corp');
    const { host } = new URL(address);
    for (const path of [
      '/nothing.js',
      '/.secret',
      '/../package.json',
      '/%2e%2e/package.json',
      '/..%2f..%2fetc/passwd',
      '//etc/passwd',
    ]) {
      const { status, body } = await rawAnswer(address, `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      errorSchema.parse(body);
    }
    expect(await errorOf(await fetch(`${address}/v1/none`))).toMatchObject({ status: 404 });
    expect(await errorOf(await fetch(`${address}/index.html`, { method: 'POST' }))).toMatchObject({ status: 404 });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
