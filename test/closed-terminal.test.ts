/** @file The built commands, as processes, where nobody reads what they write: `| head`, a closed terminal, a full disk. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { writeTinyModelFolder } from '../apps/sampler/src/testing/tiny-model-folder';

const cli = (app: string) => resolve(`apps/${app}/dist/cli.js`);
const folder = mkdtempSync(join(tmpdir(), 'transfusion-closed-'));
const model = join(folder, 'model');
beforeAll(() => writeTinyModelFolder(model));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a command whose streams are closed after `close.after` bytes of them were read; 0: before it starts to write. */
function run(args: string[], closed: ('stdout' | 'stderr')[], stdout: 'pipe' | number = 'pipe'): Promise<Ended> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', stdout, 'pipe'] });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    if (closed.includes(name)) child[name]?.destroy();
    else child[name]?.on('data', (part) => (texts[name] += part));
  }
  return new Promise((done) => child.on('close', (code) => done({ code, ...texts })));
}

test.each([
  ['sampler info', [cli('sampler'), 'info', '--backend', 'wasm', '--model', model]],
  ['sampler --help', [cli('sampler'), '--help']],
  ['trainer schema', [cli('trainer'), 'schema']],
])('%s ends quietly where stdout is closed', async (_, args) => {
  // Nothing but the line that every command on a backend writes.
  const stderr = expect.stringMatching(/^(backend: .*\n)?$/);
  expect(await run(args, ['stdout'])).toEqual({ code: 0, stdout: '', stderr });
});

test('a command draws its picture where stdout and stderr are closed', async () => {
  const out = join(folder, 'a.png');
  const args = ['generate', '--backend', 'wasm', '--model', model, '--prompt', 'a', '--steps', '2', '--out', out];
  expect(await run([cli('sampler'), ...args], ['stdout', 'stderr'])).toMatchObject({ code: 0 });
  expect(existsSync(out)).toBe(true);
});

test('training goes on to its end, and saves, where both are closed', async () => {
  const sets = ['--set', 'steps=12', '--set', 'learningRate.totalSteps=12', '--set', 'logEvery=1'];
  const args = [cli('trainer'), 'train', '--preset', 'tiny', '--backend', 'wasm', '--runs', join(folder, 'runs')];
  expect(await run([...args, ...sets], ['stdout', 'stderr'])).toMatchObject({ code: 0 });
  expect(existsSync(join(folder, 'runs', 'tiny', 'model', 'trainer_state.json'))).toBe(true);
});

test('bad input is still an error where stderr is closed', async () => {
  expect(await run([cli('sampler'), 'generate', '--steps', 'x'], ['stderr'])).toMatchObject({ code: 2 });
});

const withFullDevice = existsSync('/dev/full') ? test : test.skip;

withFullDevice('results that cannot be written to a full disk are a failure', async () => {
  const { code, stderr } = await run([cli('trainer'), 'schema'], [], openSync('/dev/full', 'w'));
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/cannot write the results.*ENOSPC/) });
});
