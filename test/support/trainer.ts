/** @file The trainer's command line, run in this process on a folder of its own. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../apps/trainer/src/main';

export interface Outcome {
  code: number;
  /** Everything that was written to the terminal. */
  text: string;
}

/** An empty folder; removed after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'transfusion-trainer-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** Keeps what the progress lines write to stderr out of the test report. */
export function quietProgress(): void {
  beforeAll(() => void jest.spyOn(process.stderr, 'write').mockReturnValue(true));
  afterAll(() => jest.restoreAllMocks());
}

export async function trainer(argv: readonly string[], signal?: AbortSignal): Promise<Outcome> {
  const lines: string[] = [];
  const write = (text: string) => void lines.push(text);
  const code = await run(argv, { out: write, log: write, signal: signal ?? new AbortController().signal });
  return { code, text: lines.join('\n') };
}

/** Arguments of a run of the tiny preset on wasm; `set`: fields of its configuration. */
export function tiny(runs: string, name: string, set: Record<string, unknown> = {}, threads = 2): string[] {
  return tinyCommand('train', runs, name, set, threads);
}

/** The same of the tiny autoencoder. */
export function tinyVae(runs: string, name: string, set: Record<string, unknown> = {}, threads = 2): string[] {
  return tinyCommand('vae', runs, name, set, threads);
}

/** The same of the tiny network that judges pictures. */
export function tinyEvaluator(runs: string, name: string, set: Record<string, unknown> = {}, threads = 2): string[] {
  return tinyCommand('evaluator', runs, name, set, threads);
}

function tinyCommand(
  command: string,
  runs: string,
  name: string,
  set: Record<string, unknown>,
  threads: number,
): string[] {
  const fields = Object.entries({ name, ...set }).flatMap(([key, value]) => [
    '--set',
    `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  ]);
  const backend = ['--backend', 'wasm', '--threads', String(threads)];
  return [command, '--preset', 'tiny', '--runs', runs, ...backend, ...fields];
}

/** A signal that is aborted when it is looked at for the n-th time: the training loop looks once before every step. */
export function abortedAtLook(n: number, also: () => void = () => {}): AbortSignal {
  let looks = 0;
  return {
    get aborted() {
      looks++;
      if (looks === n) also();
      return looks >= n;
    },
    throwIfAborted() {},
    addEventListener() {},
    removeEventListener() {},
  } as unknown as AbortSignal;
}

/** Fingerprints of a checkpoint's tensors and of the model's configuration: equal for equal bits. */
export function checkpointHash(folder: string): { optimizer: string; model: string; config: string } {
  const hash = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(folder, 'model', name)))
      .digest('hex');
  return {
    optimizer: hash('optimizer.safetensors'),
    // Of an autoencoder under the name that diffusers looks for.
    model: hash(
      existsSync(join(folder, 'model/model.safetensors')) ? 'model.safetensors' : 'diffusion_pytorch_model.safetensors',
    ),
    config: hash('config.json'),
  };
}

export function trainerState(folder: string): { step: number; config: { steps: number } } {
  return JSON.parse(readFileSync(join(folder, 'model', 'trainer_state.json'), 'utf8'));
}
