/** @file What is said where the native trainer does not run. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { trainByteLevelBpe } from './index.js';

let resolve: (name: string) => string;

jest.mock('node:module', () => ({ createRequire: () => ({ resolve: (name: string) => resolve(name) }) }));

const train = () => trainByteLevelBpe({ texts: ['a b'], vocabularySize: 300 });

function failure(message: string, code?: string): () => never {
  return () => {
    throw Object.assign(new Error(message), { code });
  };
}

test('says what to install where the native trainer is missing', async () => {
  resolve = failure("Cannot find module 'tokenizers'", 'MODULE_NOT_FOUND');
  await expect(train()).rejects.toThrow(/TOKENIZER_TRAINER_MISSING.*not installed[\s\S]*npm install tokenizers/);
});

test.each([
  ['EACCES', 'permission denied', 'EACCES'],
  ['a main file that is gone', "Cannot find module '/x/tokenizers/index.js'", 'MODULE_NOT_FOUND'],
])('says what is wrong where it is there but cannot be found: %s', async (_name, message, code) => {
  resolve = failure(message, code);
  await expect(train()).rejects.toThrow(
    `TOKENIZER_TRAINING: the package "tokenizers" is installed, but cannot be used: ${message}`,
  );
});

describe('with another module in its place', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'native-trainer-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function replaceBy(source: string): void {
    const file = join(folder, 'module.cjs');
    writeFileSync(file, source);
    resolve = () => file;
  }

  test('says so where its binding does not load', async () => {
    replaceBy("throw new Error('Cannot find native binding')");
    await expect(train()).rejects.toThrow(
      /TOKENIZER_TRAINING.*installed, but cannot be used: Cannot find native binding\n.*anew/,
    );
  });

  test('says how it ended where training fails', async () => {
    replaceBy('process.exit(7)');
    await expect(train()).rejects.toThrow(/TOKENIZER_TRAINING: the native trainer failed: it ended with status 7/);
  });
});
