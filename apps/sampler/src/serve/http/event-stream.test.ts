import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { ClientGone } from '../api-error.js';
import { rawConnection } from '../testing/raw-request.js';
import { WorkQueue } from '../work/work-queue.js';
import { dropStalled, type ServerEvent, type StreamOptions, sendEvents } from './event-stream.js';
import { Job } from './job.js';

const apps: FastifyInstance[] = [];
afterAll(async () => {
  for (const app of apps) app.server.closeAllConnections();
  await Promise.all(apps.map((app) => app.close()));
});

type Events = (signal: AbortSignal) => AsyncGenerator<ServerEvent, void>;

/** Streams these events at /. */
async function serving(
  events: Events,
  options: Partial<StreamOptions> = {},
): Promise<{ address: string; errors: unknown[] }> {
  const errors: unknown[] = [];
  const app = fastify();
  apps.push(app);
  const queue = new WorkQueue({ concurrency: 4, waiting: 4 });
  app.get('/', async (_, reply) => {
    const job = new Job(reply, { queue, timeoutSeconds: 60, stopping: new AbortController().signal });
    await sendEvents(reply, job, events(job.signal), {
      ...{ stallSeconds: 30, onFirst: () => {}, onError: (error) => void errors.push(error) },
      ...options,
    });
  });
  await app.listen({ port: 0 });
  return { address: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`, errors };
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const MEBIBYTE = 'x'.repeat(2 ** 20);

test('names and data, and what is to stand at the end', async () => {
  async function* events() {
    yield { name: 'a.b', data: { text: 'one\ntwo' } };
    yield { data: [1] };
  }
  const { address } = await serving(events, { last: 'data: [DONE]\n\n' });
  const answer = await fetch(address);
  expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(await answer.text()).toBe('event: a.b\ndata: {"text":"one\\ntwo"}\n\ndata: [1]\n\ndata: [DONE]\n\n');
});

test('silence is kept alive by comments; a failure after them is told in the stream', async () => {
  async function* events(): AsyncGenerator<ServerEvent, void> {
    await pause(250);
    yield { data: 1 };
    throw new Error('secret');
  }
  const { address, errors } = await serving(events, { keepAliveSeconds: 0.1 });
  const text = await (await fetch(address)).text();
  expect(text).toMatch(
    /^(: keep-alive\n\n){1,3}data: 1\n\nevent: error\ndata: \{"error":\{[^\n]*"type":"server_error"[^\n]*\}\}\n\n$/,
  );
  expect(text).not.toContain('secret');
  expect(errors).toEqual([expect.objectContaining({ message: 'secret' })]);
});

test('no faster than the reader: what is not read is not made', async () => {
  let made = 0;
  async function* events() {
    for (let i = 0; i < 64; i++) {
      made++;
      yield { data: MEBIBYTE };
    }
  }
  const { address } = await serving(events);
  const connection = rawConnection(address, 'GET / HTTP/1.1\r\nhost: localhost\r\n\r\n', { reads: false });
  await pause(500);
  const before = made;
  expect(before).toBeLessThan(40);
  await pause(200);
  expect(made).toBe(before);
  let bytes = 0;
  connection.socket.on('data', (part) => (bytes += part.length));
  connection.socket.resume();
  for (let i = 0; i < 500 && bytes < 64 * 2 ** 20; i++) await pause(20);
  expect(made).toBe(64);
  expect(bytes).toBeGreaterThan(64 * 2 ** 20);
  connection.socket.destroy();
});

test('a reader that stops is dropped, and the work ends', async () => {
  let reason: unknown;
  let isLeft = false;
  async function* events(signal: AbortSignal) {
    signal.addEventListener('abort', () => (reason = signal.reason));
    try {
      for (;;) yield { data: MEBIBYTE };
    } finally {
      isLeft = true;
    }
  }
  const { address, errors } = await serving(events, { stallSeconds: 0.3 });
  const { socket } = rawConnection(address, 'GET / HTTP/1.1\r\nhost: localhost\r\n\r\n', { reads: false });
  for (let i = 0; i < 500 && !isLeft; i++) await pause(20);
  expect(isLeft).toBe(true);
  expect(errors).toEqual([expect.objectContaining({ message: 'the client stopped reading' })]);
  await pause(50);
  expect(reason).toBeInstanceOf(ClientGone);
  socket.destroy();
});

test('one that reads slowly is not, however long it takes', async () => {
  async function* events() {
    for (let i = 0; i < 24; i++) yield { data: MEBIBYTE };
  }
  const { address, errors } = await serving(events, { stallSeconds: 0.5 });
  const { socket, closed } = rawConnection(address, 'GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n', {
    reads: false,
  });
  let bytes = 0;
  socket.on('data', (part) => (bytes += part.length));
  let isClosed = false;
  void closed.then(() => (isClosed = true));
  const begun = performance.now();
  while (!isClosed) {
    socket.resume();
    await pause(2);
    socket.pause();
    await pause(50);
    if (performance.now() - begun > 60_000) break;
    if (bytes > 20 * 2 ** 20) socket.resume();
  }
  expect(bytes).toBeGreaterThan(24 * 2 ** 20);
  expect(errors).toEqual([]);
});

test('so is one that does not read an answer that is no stream', async () => {
  const app = fastify();
  apps.push(app);
  let closed = false;
  app.get('/', async (_, reply) => {
    reply.raw.on('close', () => (closed = true));
    dropStalled(reply.raw, 300);
    return MEBIBYTE.repeat(40);
  });
  await app.listen({ port: 0 });
  const address = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const { socket } = rawConnection(address, 'GET / HTTP/1.1\r\nhost: localhost\r\n\r\n', { reads: false });
  for (let i = 0; i < 250 && !closed; i++) await pause(20);
  expect(closed).toBe(true);
  socket.destroy();
});
