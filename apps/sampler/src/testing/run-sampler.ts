/** @file The command line, run in the test's own process. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { name as SHIPPED } from '@transfusion/emoji-64';
import { run } from '../main.js';
import { writeTinyModelFolder } from './tiny-model-folder.js';

/** On one CPU thread. */
export const CPU = ['--backend', 'wasm', '--threads', '1'];

/** What it wrote, and its exit code. */
export async function runSampler(argv: readonly string[], signal = new AbortController().signal) {
  const [out, log]: string[][] = [[], []];
  const code = await run([...argv], {
    out: (text) => void out.push(text),
    log: (text) => void log.push(text),
    signal,
  });
  return { code, out: out.join('\n'), log: log.join('\n') };
}

/** The words of the command that an error tells, as a shell splits them, without `sampler`. */
export function toldCommand(log: string): string[] {
  // A line begins it, or `: ` stands before it.
  const [, command] = /(?:^|: )sampler ((?:edit|continue) .*)$/m.exec(log)!;
  return execFileSync('bash', ['-c', `printf '%s\\0' ${command}`], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);
}

/** Where a test puts a model, or none, in place of the one that this repository ships. */
const SHIPPED_FOLDER = join('node_modules', ...SHIPPED.split('/'));

/**
 * For the tests of a file: a folder of their own, in which they run, with a tiny model in `model`, and the package that is shipped
 * without weights, which would go to `shipped`. What is written to stderr, such as progress, is not looked at.
 */
export function inFolderWithModel(): { readonly folder: string; readonly model: string; readonly shipped: string } {
  const home = process.cwd();
  const place = { folder: '', model: '', shipped: join(SHIPPED_FOLDER, 'model') };
  beforeAll(async () => {
    place.folder = await mkdtemp(join(tmpdir(), 'transfusion-sampler-'));
    place.model = join(place.folder, 'model');
    await writeTinyModelFolder(place.model);
    process.chdir(place.folder);
    await mkdir(SHIPPED_FOLDER, { recursive: true });
    await writeFile(join(SHIPPED_FOLDER, 'package.json'), JSON.stringify({ name: SHIPPED }));
    jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    process.chdir(home);
    await rm(place.folder, { recursive: true, force: true });
  });
  return place;
}
