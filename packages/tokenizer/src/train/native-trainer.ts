/** @file Runs the native trainer in a process of its own: it writes progress to the terminal, and nothing turns it off. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TokenizerError } from '../errors.js';

const SCRIPT = `
const [modulePath, configFile, textFile, resultFile] = process.argv.slice(1);
const { Tokenizer } = require(modulePath);
const tokenizer = Tokenizer.fromFile(configFile);
tokenizer.train([textFile]);
tokenizer.save(resultFile);
`;

function locateTrainer(): string {
  try {
    return createRequire(import.meta.url).resolve('tokenizers');
  } catch (error) {
    throw new TokenizerError({
      code: 'TOKENIZER_TRAINER_MISSING',
      message: 'training a tokenizer needs the package "tokenizers", which is not installed',
      fix: 'npm install tokenizers@0.23',
      cause: error,
    });
  }
}

/** Trains the tokenizer described by `config` on the lines of `texts`; returns its `tokenizer.json`, as text. */
export async function runNativeTrainer(config: unknown, texts: string[]): Promise<string> {
  const modulePath = locateTrainer();
  const folder = await mkdtemp(join(tmpdir(), 'transfusion-tokenizer-'));
  try {
    const [configFile, textFile, resultFile] = ['config.json', 'texts.txt', 'result.json'].map((name) =>
      join(folder, name),
    );
    await writeFile(configFile, JSON.stringify(config));
    await writeFile(textFile, texts.map((text) => text.replace(/\p{Surrogate}/gu, '\ufffd')).join('\n'));
    await new Promise<void>((resolve, reject) => {
      const parameters = ['-e', SCRIPT, modulePath, configFile, textFile, resultFile];
      execFile(process.execPath, parameters, { maxBuffer: 2 ** 26 }, (error) => (error ? reject(error) : resolve()));
    });
    return await readFile(resultFile, 'utf8');
  } catch (error) {
    throw new TokenizerError({
      code: 'TOKENIZER_TRAINING',
      message: `the native trainer failed: ${error instanceof Error ? error.message : error}`,
      cause: error,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
