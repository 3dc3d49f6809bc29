/** @file The built `sampler serve`, as a process: it starts, answers OpenAI's client, and leaves as it is told to. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import OpenAI, { AuthenticationError } from 'openai';
import { writeTinyModelFolder } from '../apps/sampler/src/testing/tiny-model-folder.js';

const cli = resolve('apps/sampler/dist/cli.js');
const folder = mkdtempSync(join(tmpdir(), 'transfusion-serve-'));
const model = join(folder, 'emoji', 'model');
const children: ChildProcess[] = [];
beforeAll(() => writeTinyModelFolder(model));
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface Served {
  child: ChildProcess;
  /** As in http://127.0.0.1:8080; rejects where it ends before it listens. */
  address: Promise<string>;
  ended: Promise<{ code: number | null; out: string; log: string }>;
  /** What it has told so far. */
  log(): string;
}

function serve(args: string[], environment: Record<string, string> = {}): Served {
  const given = ['serve', '--backend', 'wasm', '--threads', '1', '--port', '0', ...args];
  const child = spawn(process.execPath, [cli, ...given], { env: { ...process.env, ...environment } });
  children.push(child);
  let [out, log] = ['', ''];
  child.stderr.on('data', (part) => (log += part));
  const ended = new Promise<{ code: number | null; out: string; log: string }>((done) => {
    child.on('close', (code) => done({ code, out, log }));
  });
  const address = new Promise<string>((done, fail) => {
    child.stdout.on('data', (part) => {
      out += part;
      const [, found] = /^listening on (\S+)$/m.exec(out) ?? [];
      if (found) done(found);
    });
    void ended.then(() => fail(new Error(log)));
  });
  address.catch(() => {});
  return { child, address, ended, log: () => log };
}

// Windows has no signals.
const onPosix = process.platform === 'win32' ? test.skip : test;

test('answers the official client; SIGTERM lets what runs end, then it exits with 0', async () => {
  const { child, address, ended } = serve(['--model', model, '--model', `other=${model}`]);
  const client = new OpenAI({ baseURL: `${await address}/v1`, apiKey: 'none', maxRetries: 0 });
  const names = (await client.models.list()).data.map(({ id }) => id);
  expect(names).toEqual(['emoji', 'other']);
  const drawing = { prompt: 'red heart', seed: 3 } as OpenAI.ImageGenerateParams & { stream?: false };
  const [first, second] = [
    await client.images.generate(drawing),
    await client.images.generate({ ...drawing, model: 'other' }),
  ];
  expect(first.data![0].b64_json).toBe(second.data![0].b64_json);
  const metrics = await (await fetch(`${await address}/metrics`)).text();
  expect(metrics).toMatch(/process_resident_memory_bytes \d+/);
  const long = client.images.generate({ ...drawing, n: 10, num_inference_steps: 200 } as typeof drawing);
  for (;;) {
    const { running } = (await (await fetch(`${await address}/health`)).json()) as { running: number };
    if (running > 0) break;
  }
  if (process.platform === 'win32') return;
  child.kill('SIGTERM');
  expect((await long).data).toHaveLength(10);
  const { code, out, log } = await ended;
  expect({ code, out }).toEqual({ code: 0, out: `listening on ${await address}\n` });
  for (const line of [
    `model     emoji (${model})`,
    'limits    8 at once, 32 wait',
    'keys      none',
    'curl http',
    'new OpenAI({',
    'stopped',
  ]) {
    expect(log).toContain(line);
  }
});

onPosix('a second signal leaves at once', async () => {
  const { child, address, ended, log } = serve(['--model', model, '--grace', '600']);
  const url = `${await address}/v1/images/generations`;
  const body = JSON.stringify({ prompt: 'x', n: 10, num_inference_steps: 200 });
  const headers = { 'content-type': 'application/json' };
  const answers = Array.from({ length: 30 }, () =>
    fetch(url, { method: 'POST', headers, body }).catch(() => undefined),
  );
  while (!/"running":[1-9]/.test(await (await fetch(`${await address}/health`)).text())) {}
  child.kill('SIGTERM');
  while (!log().includes('waiting for')) await new Promise((resolve) => setTimeout(resolve, 20));
  // Signals that come together are one wish.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 143 });
  // Of many listeners, Node warns once.
  expect(log()).not.toContain('Warning');
  await Promise.all(answers);
});

test('keys, of a file and of the environment', async () => {
  const keys = join(folder, 'keys');
  writeFileSync(keys, '# people\nsk-file\n');
  const { child, address, ended } = serve(['--model', model, '--api-key-file', keys], {
    TRANSFUSION_API_KEY: 'sk-one,sk-two',
  });
  const ask = async (apiKey: string) =>
    new OpenAI({ baseURL: `${await address}/v1`, apiKey, maxRetries: 0 }).models.list();
  for (const key of ['sk-file', 'sk-one', 'sk-two']) expect((await ask(key)).data).toHaveLength(1);
  await expect(ask('sk-three')).rejects.toBeInstanceOf(AuthenticationError);
  child.kill();
  const { log } = await ended;
  expect(log).toContain('keys      3');
  expect(log).not.toContain('sk-');
});

test('what cannot be is refused, with exit code 2', async () => {
  const { ended } = serve(['--model', model, '--host', '0.0.0.0'], { TRANSFUSION_API_KEY: '' });
  expect(await ended).toMatchObject({ code: 2, out: '', log: expect.stringContaining('SERVE_NEEDS_KEY') });
});
