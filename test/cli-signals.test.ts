/** @file The built trainer, as a process: signals save and leave, and the run goes on from there. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const cli = resolve('apps/trainer/dist/cli.js');
const folder = mkdtempSync(join(tmpdir(), 'transfusion-signals-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(...args: string[]): { child: ChildProcess; ended: Promise<{ code: number | null; text: string }> } {
  const child = spawn(process.execPath, [cli, 'train', '--backend', 'wasm', '--runs', join(folder, 'runs'), ...args]);
  let text = '';
  child.stderr.on('data', (part) => (text += part));
  const ended = new Promise<{ code: number | null; text: string }>((done) => {
    child.on('close', (code) => done({ code, text }));
  });
  return { child, ended };
}

/** Resolves when the run has written metrics: training is under way. */
async function trainingStarted(name: string): Promise<void> {
  const metrics = join(folder, 'runs', name, 'metrics.jsonl');
  while (!existsSync(metrics) || readFileSync(metrics, 'utf8').length === 0) {
    await new Promise((done) => setTimeout(done, 50));
  }
}

function trainerState(name: string): { step: number } {
  return JSON.parse(readFileSync(join(folder, 'runs', name, 'model', 'trainer_state.json'), 'utf8'));
}

const endless = ['--preset', 'tiny', '--set', 'steps=1000000', '--set', 'learningRate.totalSteps=1000000'];

// Windows has no signals: a process there is told to stop by its console only.
const onPosix = process.platform === 'win32' ? test.skip : test;

onPosix.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s finishes the step, saves and exits with 0; --resume goes on',
  async (signal) => {
    const { child, ended } = start(...endless, '--set', `name=${signal}`);
    await trainingStarted(signal);
    child.kill(signal);
    const { code, text } = await ended;
    expect({ code, text }).toMatchObject({ code: 0, text: expect.stringContaining('--resume') });
    const { step } = trainerState(signal);
    expect(step).toBeGreaterThan(0);

    const resumed = start('--resume', join(folder, 'runs', signal), '--set', `steps=${step + 3}`);
    expect(await resumed.ended).toMatchObject({ code: 0 });
    expect(trainerState(signal).step).toBe(step + 3);
  },
);
