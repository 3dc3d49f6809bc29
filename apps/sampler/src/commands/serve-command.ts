/** @file `sampler serve`: an HTTP server over models, by the names of OpenAI's API. */
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type BackendChoice, openBackend, type Terminal } from '@transfusion/app-common';
import { isHubAddress, parseHubAddress } from '@transfusion/hub/node';
import { createSampler, imageSizes } from '@transfusion/sampler';
import { loadModel, readModelFolder } from '@transfusion/sampler/node';
import { type Backend, TransfusionError } from '@transfusion/tensor';
import { modelPath } from '../model-path.js';
import type { Limits } from '../serve/context.js';
import { parseKeys } from '../serve/http/api-keys.js';
import { servedLines } from '../serve/served-lines.js';
import { startServer } from '../serve/server.js';
import type { ServedModel } from '../serve/work/served-model.js';

export interface ServeCommandOptions {
  /** Each NAME=FOLDER, or a folder or package, which is named after it; default: as every command. */
  models?: readonly string[];
  host: string;
  port: number;
  apiKeyFile?: string;
  playground?: string;
  limits: Limits;
  graceSeconds: number;
  backend: BackendChoice;
}

export async function serveCommand(options: ServeCommandOptions, terminal: Terminal): Promise<void> {
  const { host, port, limits, graceSeconds } = options;
  const keys = await readKeys(options.apiKeyFile);
  const playground = options.playground === undefined ? undefined : await playgroundFolder(options.playground);
  const folders = await namedFolders(options.models, terminal);
  const backend = await openBackend(options.backend, terminal);
  try {
    const models: ServedModel[] = [];
    const { concurrency } = limits;
    for (const [name, folder] of folders) models.push(await openServedModel({ name, folder, backend, concurrency }));
    const log = (text: string) => terminal.log(text);
    const server = await startServer({ models, host, port, keys, limits, playground, log, processMetrics: true });
    const sizes = imageSizes(models[0].sampler.config.image);
    const { address } = server;
    terminal.out(`listening on ${address}`);
    for (const line of servedLines({ address, folders, keys: keys.length, limits, playground, size: sizes[0] })) {
      terminal.log(line);
    }
    await aborted(terminal.signal);
    const { running, waiting } = server.busy();
    terminal.log(`waiting for ${running + waiting} requests, for at most ${graceSeconds} s`);
    await server.stop(graceSeconds);
    terminal.log('stopped');
  } finally {
    await backend.dispose();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}

/** @throws TransfusionError API_KEYS */
async function readKeys(path: string | undefined): Promise<string[]> {
  const refuse = (message: string, cause?: unknown) =>
    new TransfusionError({ code: 'API_KEYS', message, fix: 'give a file with one key a line', cause });
  const file =
    path === undefined
      ? undefined
      : await readFile(path, 'utf8').catch((error) => {
          throw refuse(`--api-key-file ${path} cannot be read: ${error.message}`, error);
        });
  const keys = parseKeys(file, process.env.TRANSFUSION_API_KEY);
  if (path !== undefined && keys.length === 0) throw refuse(`--api-key-file ${path} has no key`);
  const odd = keys.findIndex((key) => !/^[\x21-\x7e]+$/.test(key));
  if (odd >= 0) throw refuse(`key ${odd + 1} has a space, or a letter that headers have not`);
  return keys;
}

/** @throws TransfusionError PLAYGROUND_FOLDER */
async function playgroundFolder(path: string): Promise<string> {
  const page = await stat(join(path, 'index.html')).catch(() => undefined);
  if (page?.isFile()) return path;
  throw new TransfusionError({
    code: 'PLAYGROUND_FOLDER',
    message: `--playground ${path} has no index.html`,
    fix: 'give the folder of a built playground: npm run build makes apps/playground/dist',
  });
}

const NAME = /^[\w@][\w@./:-]{0,127}$/;

/** Names of models, and the folders that they are in. @throws TransfusionError MODEL_NAME, MODEL_MISSING; HubError */
export async function namedFolders(
  given: readonly string[] | undefined,
  terminal: Pick<Terminal, 'log' | 'signal'>,
): Promise<Map<string, string>> {
  const named = new Map<string, string>();
  for (const each of given ?? [undefined]) {
    // A path may have the sign, too.
    const at = each === undefined || existsSync(each) ? -1 : each.indexOf('=');
    const [chosen, place] = at < 0 ? [undefined, each] : [each!.slice(0, at), each!.slice(at + 1)];
    const folder = await modelPath(place, terminal);
    const name = chosen ?? nameOf(place !== undefined && place !== folder ? place : folder);
    if (!NAME.test(name)) {
      throw new TransfusionError({
        code: 'MODEL_NAME',
        message: `--model ${each}: "${name}" is no name that a client can give`,
        fix: 'name it, with letters, digits and any of . _ - @ : / as in --model emoji=runs/emoji/model',
      });
    }
    if (named.has(name)) {
      throw new TransfusionError({
        code: 'MODEL_NAME',
        message: `two models have the name ${name}: ${named.get(name)} and ${folder}`,
        fix: 'name them, as in --model first=FOLDER --model second=FOLDER',
      });
    }
    named.set(name, folder);
  }
  return named;
}

/** The last word of a path that says something: runs keep their model in a folder "model". */
function nameOf(place: string): string {
  if (place.startsWith('@')) return place;
  if (isHubAddress(place)) return parseHubAddress(place).name;
  const path = resolve(place);
  return basename(path) === 'model' ? basename(dirname(path)) : basename(path);
}

/** What is asked of it at the same time shares its runs. */
async function openServedModel(options: {
  name: string;
  folder: string;
  backend: Backend;
  concurrency: number;
}): Promise<ServedModel> {
  const { name, folder, backend, concurrency } = options;
  const loaded = loadModel(await readModelFolder(folder), backend);
  return {
    name,
    sampler: createSampler({ backend, ...loaded, concurrency }),
    countTokens: (text) => loaded.tokenizer.encode(text).length,
    created: Math.floor((await stat(folder)).mtimeMs / 1000),
  };
}
