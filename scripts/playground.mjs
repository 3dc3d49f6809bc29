/**
 * @file `npm run playground`: builds the page that draws, describes, edits and trains in a browser tab, serves it on this machine,
 * and opens it. `--model FOLDER`, `--port N`, `--no-open`, `--build-only`.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { runNode } from './lib/processes.mjs';
import { stage } from './lib/stage.mjs';
import { serveFolder } from './lib/static-server.mjs';
import { setupOrExit } from './setup.mjs';

const options = {
  model: { type: 'string' },
  port: { type: 'string', default: '4180' },
  out: { type: 'string' },
  'no-open': { type: 'boolean', default: false },
  'build-only': { type: 'boolean', default: false },
};

function readOptions() {
  try {
    const { values } = parseArgs({ options });
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new Error(`--port is ${values.port}, expected a whole number from 0 to 65535`);
    }
    return { ...values, port };
  } catch (error) {
    console.error(error.message);
    console.error('npm run playground -- [--model FOLDER] [--port N] [--no-open] [--build-only]');
    process.exit(2);
  }
}

/** Whether somebody would see a browser. */
function hasDisplay() {
  return process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}

function openBrowser(url) {
  const [command, ...args] =
    process.platform === 'darwin' ? ['open'] : process.platform === 'win32' ? ['cmd', '/c', 'start', ''] : ['xdg-open'];
  const child = spawn(command, [...args, url], { stdio: 'ignore', detached: true });
  // The address is printed: without a program that opens it, people do.
  child.on('error', () => {});
  child.unref();
}

const { model, out, port, 'no-open': noOpen, 'build-only': buildOnly } = readOptions();
await setupOrExit({});
const arguments_ = [...(model ? ['--model', model] : []), ...(out ? ['--out', out] : [])];
try {
  const said = await stage('building the playground', () =>
    runNode(['apps/playground/scripts/build.mjs', ...arguments_], { env: { NODE_ENV: 'production' } }),
  );
  const [folder, ...lines] = said.trim().split('\n').reverse();
  for (const line of lines.reverse()) console.log(line);
  if (buildOnly) console.log(`the page is in ${folder}: any file server will do`);
  else {
    const { url } = await serveFolder(folder, { port });
    console.log(`${url}  (Ctrl-C ends it)`);
    if (!noOpen && hasDisplay()) openBrowser(url);
  }
} catch (error) {
  const inUse =
    error.code === 'EADDRINUSE' ? `port ${port} is in use: choose another with --port, or 0 for any` : undefined;
  console.error(inUse ?? error.output ?? error.message);
  process.exitCode = 1;
}
