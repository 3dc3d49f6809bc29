/** @file A server over a tiny random model, for tests. */
import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { tinyConfig, tinySampler, tokenizerOf } from '../../../../../packages/sampler/src/testing/tiny-model.js';
import { type RunningServer, type ServerOptions, startServer } from '../server.js';
import type { ServedModel } from '../work/served-model.js';

export interface TinyServer extends RunningServer {
  model: ServedModel;
  /** Failures that were not the client's. */
  logged: string[];
}

export const KEY = 'sk-test-one';

/** Images of 4 x 4 pixels in 4 patches, 64 positions, of bytes; trained on edits, as it says. */
export function tinyModel(backend: Backend, name = 'tiny', trainedOnEdits = true): ServedModel {
  const trainedOn = { pictures: true, captions: true, documents: true, edits: trainedOnEdits, texts: true };
  const config = tinyConfig({ trainedOn });
  const tokenizer = tokenizerOf(config);
  return {
    ...{ name, created: 1_700_000_000, sampler: tinySampler(backend, config, 1, 4) },
    countTokens: (text) => tokenizer.encode(text).length,
  };
}

/** Servers of the tests of a file, on one backend; they are stopped at its end. */
export function tinyServers(): {
  readonly backend: Backend;
  start(options?: Partial<ServerOptions>): Promise<TinyServer>;
} {
  const running: TinyServer[] = [];
  const servers = {
    backend: undefined as unknown as Backend,
    async start(options: Partial<ServerOptions> = {}): Promise<TinyServer> {
      const models = options.models ?? [tinyModel(servers.backend)];
      const logged: string[] = [];
      const server = await startServer({ port: 0, ...options, models, log: (text) => void logged.push(text) });
      const tiny = { ...server, model: models[0], logged };
      running.push(tiny);
      return tiny;
    },
  };
  beforeAll(async () => {
    servers.backend = await openWasm({ threads: 1 });
  });
  afterAll(async () => {
    await Promise.all(running.map((server) => server.stop(0)));
    await servers.backend.dispose();
  });
  return servers;
}
