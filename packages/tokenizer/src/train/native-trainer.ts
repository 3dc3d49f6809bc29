/** @file Runs the native trainer in a process of its own: it writes progress to the terminal, and nothing turns it off. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reason } from '@transfusion/core';
import { TokenizerError } from '../errors.js';

/** Exit status of the process where the package is there, but does not load. */
const NOT_LOADED = 3;

const SCRIPT = `
const [modulePath, configFile, textFile, resultFile] = process.argv.slice(1);
let Tokenizer;
try {
  ({ Tokenizer } = require(modulePath));
} catch (error) {
  process.stderr.write(String(error.message));
  process.exit(${NOT_LOADED});
}
const tokenizer = Tokenizer.fromFile(configFile);
tokenizer.train([textFile]);
tokenizer.save(resultFile);
`;

function locateTrainer(): string {
  try {
    return createRequire(import.meta.url).resolve('tokenizers');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Without its main file, the same code is for that.
    if (code !== 'MODULE_NOT_FOUND' || !message.includes("'tokenizers'")) throw notLoaded(message, error);
    throw new TokenizerError({
      code: 'TOKENIZER_TRAINER_MISSING',
      message: 'training a tokenizer needs the package "tokenizers", which is not installed',
      fix: 'npm install tokenizers@0.23',
      cause: error,
    });
  }
}

function notLoaded(problem: string, cause: unknown): TokenizerError {
  return new TokenizerError({
    code: 'TOKENIZER_TRAINING',
    message: `the package "tokenizers" is installed, but cannot be used: ${problem}`,
    fix: 'install it anew, on this machine and for this Node: npm uninstall tokenizers, then npm install tokenizers@0.23',
    cause,
  });
}

function trainingFailed(problem: string, cause: unknown): TokenizerError {
  return new TokenizerError({
    code: 'TOKENIZER_TRAINING',
    message: `the native trainer failed: ${problem}`,
    fix: 'check that the folder for temporary files has room and can be written to, and that memory suffices',
    cause,
  });
}

/** Runs the script in a Node of its own. @throws what `signal` was aborted with */
async function runScript(parameters: string[], signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  let stop = () => {};
  try {
    await new Promise<void>((resolve, reject) => {
      const options = { maxBuffer: 2 ** 26 };
      const child = execFile(process.execPath, ['-e', SCRIPT, ...parameters], options, (error, _output, errors) => {
        if (!error) return resolve();
        if (error.code === NOT_LOADED) return reject(notLoaded(errors, error));
        const how = error.signal ? `it was ended by ${error.signal}` : `it ended with status ${error.code}`;
        reject(trainingFailed([how, errors.trim().slice(-1000)].filter((part) => part !== '').join(': '), error));
      });
      stop = () => void child.kill();
      signal?.addEventListener('abort', stop);
    });
  } catch (error) {
    // Ended by us, or by the Ctrl-C that came to both.
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** A run of letters, or of spaces, that is longer than any word: the trainer's time would grow with its square. */
const ENDLESS = /\S{64}(?=\S)|[^\S\n]{64}(?=[^\S\n])/gu;

function forTraining(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd').replace(ENDLESS, '$&\n');
}

/**
 * Trains the tokenizer described by `config` on the lines of `texts`; returns its `tokenizer.json`, as text.
 * @throws TokenizerError; what `signal` was aborted with
 */
export async function runNativeTrainer(config: unknown, texts: string[], signal?: AbortSignal): Promise<string> {
  const modulePath = locateTrainer();
  const folder = await mkdtemp(join(tmpdir(), 'transfusion-tokenizer-'));
  try {
    const [configFile, textFile, resultFile] = ['config.json', 'texts.txt', 'result.json'].map((name) =>
      join(folder, name),
    );
    await writeFile(configFile, JSON.stringify(config));
    await writeFile(textFile, texts.map(forTraining).join('\n'));
    await runScript([modulePath, configFile, textFile, resultFile], signal);
    return await readFile(resultFile, 'utf8');
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof TokenizerError) throw error;
    throw trainingFailed(reason(error), error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
