import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { CPU, inFolderWithModel, runSampler } from '../testing/run-sampler.js';
import { writeTinyModelFolder } from '../testing/tiny-model-folder.js';
import { namedFolders } from './serve-command.js';

const place = inFolderWithModel();
beforeAll(() => void delete process.env.TRANSFUSION_API_KEY);

const terminal = { log: () => {}, signal: new AbortController().signal };
const named = async (...given: string[]) => [...(await namedFolders(given.length > 0 ? given : undefined, terminal))];

test('names of models: as given, else of the run, the folder or the package', async () => {
  for (const folder of ['runs/emoji/model', 'styles', 'a=b']) await mkdir(folder, { recursive: true });
  expect(await named('runs/emoji/model')).toEqual([['emoji', 'runs/emoji/model']]);
  expect(await named('styles/', 'first=styles')).toEqual([
    ['styles', 'styles/'],
    ['first', 'styles'],
  ]);
  expect(await named('org/name-1:v2=styles')).toEqual([['org/name-1:v2', 'styles']]);
  await expect(named('a=b')).rejects.toThrow(/"a=b" is no name/);
  expect(await named('c=a=b')).toEqual([['c', 'a=b']]);
  await writeTinyModelFolder(place.shipped);
  expect(await named('@transfusion/emoji-64')).toEqual([
    ['@transfusion/emoji-64', expect.stringMatching(/emoji-64.model$/)],
  ]);
  expect(await named()).toEqual([['emoji-64', expect.stringMatching(/emoji-64.model$/)]]);
});

test('what cannot be', async () => {
  await expect(named('styles', 'runs/../styles')).rejects.toThrow(/two models have the name styles/);
  for (const name of ['', 'a b', '-a', '/etc', 'x'.repeat(129)])
    await expect(named(`${name}=styles`)).rejects.toThrow(/is no name/);
});

test.each([
  [['--host', '0.0.0.0'], 'SERVE_NEEDS_KEY'],
  [['--host', '127.0.0.1', '--api-key-file', 'nowhere'], 'API_KEYS'],
  [['--api-key-file', 'empty'], 'API_KEYS: --api-key-file empty has no key'],
  [['--api-key-file', 'odd'], 'API_KEYS: key 2 has'],
  [['--playground', '.'], 'PLAYGROUND_FOLDER'],
  [['--model', 'model=model'], 'two models have the name'],
  [['--model', 'x=nowhere'], 'CHECKPOINT_'],
  [['--timeout', '0'], 'give a number above 0'],
  [['--modl', 'x'], '--model'],
  [['--key', 'x'], '--api-key-file'],
])('%j is refused, with exit code 2', async (args, message) => {
  await writeFile('empty', '# no key\n\n');
  await writeFile('odd', 'sk-a\nsk b\n');
  const { code, out, log } = await runSampler([
    'serve',
    ...CPU,
    '--port',
    '0',
    '--model',
    `model=${place.model}`,
    ...args,
  ]);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(log).toContain(message);
});

test('an address that is taken is told so', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const result = await runSampler(['serve', ...CPU, '--model', place.model, '--port', String(port)]);
  taken.close();
  expect(result).toMatchObject({ code: 2, log: expect.stringMatching(/SERVE_ADDRESS.*EADDRINUSE.*--port/s) });
});

test('told to stop, it stops: exit code 0', async () => {
  const controller = new AbortController();
  const running = runSampler(['serve', ...CPU, '--port', '0', '--model', place.model], controller.signal);
  setTimeout(() => controller.abort(), 500);
  const { code, out, log } = await running;
  expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/^listening on http:\/\/127\.0\.0\.1:\d+$/) });
  for (const text of ['curl http', 'new OpenAI({', 'limits    8 at once, 32 wait', 'stopped'])
    expect(log).toContain(text);
});

test('--help teaches: examples, routes, every limit with its default', async () => {
  const { code, out } = await runSampler(['serve', '--help']);
  expect(code).toBe(0);
  for (const text of [
    'POST /v1/images/generations',
    'TRANSFUSION_API_KEY=sk-secret sampler serve --host 0.0.0.0',
    'default: 25000000',
  ]) {
    expect(out.replaceAll(/\s+/g, ' ')).toContain(text);
  }
});
