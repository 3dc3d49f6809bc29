/** @file The options of `sampler serve`. */
import {
  backendChoice,
  number,
  numberAbove,
  repeatable,
  type Terminal,
  wholeNumber,
  withBackend,
} from '@transfusion/app-common';
import type { Command } from 'commander';
import { DEFAULT_MODEL } from '../model-path.js';

const MEBIBYTE = 2 ** 20;

export function addServe(root: Command, terminal: Terminal): void {
  const command = root
    .command('serve')
    .description("answer over HTTP, as OpenAI's API does: images, edits, chat completions, responses")
    .addOption(
      repeatable(
        '--model <name=folder>',
        `a model and the name that clients give; a folder or package alone is named after itself; may be repeated, the first is taken where none is named (default: ${DEFAULT_MODEL})`,
        (text: string, previous: string[] = []) => [...previous, text],
      ),
    )
    .option('--host <address>', 'where to listen; beyond this machine only with API keys', '127.0.0.1')
    .option('--port <n>', '0: a free one', wholeNumber(0, 65_535), 8080)
    .option(
      '--api-key-file <file>',
      'one key a line, of which clients send one as a bearer token; TRANSFUSION_API_KEY in the environment has more, with commas between',
    )
    .option(
      '--concurrency <n>',
      'generations at once, each image or answer being one: they share the runs of the model, which has memory for so many',
      wholeNumber(1, 256),
      8,
    )
    .option('--queue <n>', 'requests that may wait; the next is refused with status 429', wholeNumber(0, 100_000), 32)
    .option('--timeout <seconds>', 'longest time of a request, waiting included', numberAbove(0, 86_400), 300)
    .option('--stall <seconds>', 'a client that reads nothing for so long is dropped', numberAbove(0, 3600), 30)
    .option('--grace <seconds>', 'when told to stop: how long what runs may go on', number(0, 3600), 25)
    .option('--max-body <mebibytes>', 'largest request', numberAbove(0, 1024), 20)
    .option('--max-pixels <n>', 'largest picture in a request', wholeNumber(1, 100_000_000), 25_000_000)
    .option('--playground <folder>', 'files to serve at /, with an index.html');
  withBackend(command)
    .addHelpText('after', HELP)
    .action(async (options) => {
      const { model: models, host, port, apiKeyFile, playground, grace: graceSeconds } = options;
      const limits = {
        ...{ concurrency: options.concurrency, queue: options.queue, pixels: options.maxPixels },
        ...{ timeoutSeconds: options.timeout, stallSeconds: options.stall },
        bodyBytes: Math.floor(options.maxBody * MEBIBYTE),
      };
      const given = { models, host, port, apiKeyFile, playground, limits, graceSeconds };
      // No other command waits for a server to load.
      const { serveCommand } = await import('./serve-command.js');
      return serveCommand({ ...given, backend: backendChoice(options) }, terminal);
    });
}

const HELP = `
Examples:
  sampler serve                                           the model that is shipped, at http://127.0.0.1:8080/v1
  sampler serve --model emoji=runs/emoji/model --model faces=runs/faces/model --port 9000
  TRANSFUSION_API_KEY=sk-secret sampler serve --host 0.0.0.0
  sampler serve --playground apps/playground/dist         a page to draw on, at http://127.0.0.1:8080/

Routes:
  POST /v1/images/generations, /v1/images/edits           images; "stream": true with previews
  POST /v1/chat/completions, /v1/responses                texts and images in, texts and images out
  GET  /v1/models, /openapi.json                          what there is
  GET  /health/live, /health/ready, /metrics              for those who watch it

Any client of OpenAI's API will do: set its base URL to http://127.0.0.1:8080/v1. Beside OpenAI's fields there are seed,
num_inference_steps, guidance_scale, negative_prompt, and strength of edits. Ctrl-C lets what runs end, then exits with 0; again
leaves at once. docs/serve.md tells more.`;
