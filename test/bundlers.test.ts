/** @file A page that draws with a model from a package, bundled by Vite, webpack and esbuild: its pictures are those of Node. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { saveModelFolder } from '@transfusion/checkpoint/node';
import { createSampler } from '@transfusion/sampler';
import { openModel } from '@transfusion/sampler/node';
import { openWasm } from '@transfusion/wasm';
import { type Browser, chromium } from 'playwright-core';
import { filesModule } from '../packages/emoji-64/scripts/take-run.mjs';
import { tinyCodecWeights, tinyKl, tinyLatentConfig } from '../packages/sampler/src/testing/tiny-codec';
import { byteTokenizer, tinyWeights } from '../packages/sampler/src/testing/tiny-model';
import { installAlone } from '../scripts/lib/alone.mjs';
import { assertExecutable, findBrowser } from './browser/chromium';
import { serveFolder } from './support/folder-server';

const NAME = '@transfusion/emoji-64';
interface Drawn {
  addresses: Record<string, string>;
  description: string;
  pictures: number[][];
}

const root = join(__dirname, '..');
const build = join(__dirname, 'bundlers/build.mjs');
const found = findBrowser();
if ('absent' in found) console.warn(`The tests of bundlers are skipped: ${found.absent}`);
const inBrowser = 'absent' in found ? describe.skip : describe;

inBrowser('a page with a model from a package', () => {
  let folder: string;
  let browser: Browser;
  let expected: number[][];

  beforeAll(async () => {
    if ('absent' in found) return;
    assertExecutable(found.launch);
    if (!existsSync(join(root, 'packages/sampler/dist/index.js'))) throw new Error('not built: npm run setup');
    folder = mkdtempSync(join(tmpdir(), 'transfusion-bundlers-'));
    const names = ['checkpoint', 'sampler', 'wasm', 'webgpu'].map((name) => `@transfusion/${name}`);
    // Node's WebGPU is large, and nothing for a page.
    installAlone({ from: root, folder: join(folder, 'template'), names, without: ['webgpu'] });
    await makeModelPackage(join(folder, 'template/node_modules', NAME));
    expected = await drawInNode(join(folder, 'template/node_modules', NAME, 'model'));
    browser = await chromium.launch({ ...found.launch, headless: true });
  });
  afterAll(async () => {
    await browser?.close();
    if (folder) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });

  /** A project with a page, and the packages in its node_modules. */
  function project(name: string): string {
    const path = join(folder, name);
    cpSync(join(folder, 'template'), path, { recursive: true });
    cpSync(join(__dirname, 'bundlers/page.js'), join(path, 'page.js'));
    writeFileSync(join(path, 'package.json'), '{ "private": true, "type": "module" }');
    writeFileSync(
      join(path, 'index.html'),
      '<!doctype html>\n<meta charset="utf-8">\n<link rel="icon" href="data:,">\n<script type="module" src="/page.js"></script>\n',
    );
    return path;
  }

  /** What the page at an address draws, and where it found the files of the model. */
  async function drawAt(url: string): Promise<Drawn> {
    const page = await browser.newPage();
    try {
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(String(error)));
      await page.goto(url);
      await page.waitForFunction('globalThis.draw').catch((error) => {
        throw new Error(`${problems.join('\n')}\n${error}`);
      });
      const drawn = await page.evaluate('draw()');
      expect(problems).toEqual([]);
      return drawn as Drawn;
    } finally {
      await page.close();
    }
  }

  test.each<[string, RegExp]>([
    // Files below 4 kB are in the script, the others in a folder, with their hash in their name.
    ['vite', /\/assets\/model-[\w-]+\.safetensors$/],
    ['webpack', /\/[0-9a-f]{20}\.safetensors$/],
    ['esbuild', /\/model\/model\.safetensors$/],
  ])('%s', async (bundler, weights) => {
    const path = project(bundler);
    await promisify(execFile)(process.execPath, [build, bundler, path]);
    const { url, close } = await serveFolder(join(path, 'dist'));
    const { addresses, description, pictures } = await drawAt(url);
    await close();
    expect(addresses['model.safetensors']).toMatch(weights);
    expect(description).toMatch(/2 threads/);
    expect(pictures).toEqual(expected);
  });

  test("Vite's development server, which is told to leave the package where its files are", async () => {
    const path = project('vite-dev');
    const server = spawn(process.execPath, [build, 'vite-dev', path], { stdio: ['ignore', 'pipe', 'pipe'] });
    try {
      const { addresses, description, pictures } = await drawAt(await firstLine(server));
      expect(addresses['model.safetensors']).toMatch(
        /\/node_modules\/@transfusion\/emoji-64\/model\/model\.safetensors$/,
      );
      expect(description).toMatch(/2 threads/);
      expect(pictures).toEqual(expected);
    } finally {
      const ended = new Promise((resolve) => server.on('close', resolve));
      server.kill();
      await ended;
    }
  });
});

/** The package as it will be once it has a model: `scripts/take-run.mjs` writes the list of its files. */
async function makeModelPackage(path: string): Promise<void> {
  const source = join(root, 'packages/emoji-64');
  mkdirSync(path, { recursive: true });
  for (const each of ['package.json', 'src']) cpSync(join(source, each), join(path, each), { recursive: true });
  const config = tinyLatentConfig(tinyKl);
  await saveModelFolder({
    ...{ path: join(path, 'model'), config, tensors: tinyWeights(config), tokenizer: byteTokenizer().toJson() },
    vae: { config: tinyKl, tensors: tinyCodecWeights(tinyKl) },
  });
  const names = (readdirSync(join(path, 'model'), { recursive: true }) as string[]).filter((name) => extname(name));
  const hash = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(path, 'model', name)))
      .digest('hex');
  writeFileSync(join(path, 'src/files.ts'), filesModule(Object.fromEntries(names.map((name) => [name, hash(name)]))));
  await promisify(execFile)(process.execPath, [build, 'package', path], { cwd: root });
}

async function drawInNode(model: string): Promise<number[][]> {
  const backend = await openWasm({ threads: 1, fusedMultiplyAdd: false });
  const sampler = createSampler({ backend, ...(await openModel(model, backend)) });
  const images = await sampler.drawImages({ prompts: ['red', ''], seed: 4, steps: 2 });
  await backend.dispose();
  return images.map(({ data }) => [...data]);
}

/** Rejects with what the process says when it ends before. */
function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let [printed, complaints] = ['', ''];
    child.stderr!.on('data', (chunk) => (complaints += chunk));
    child.stdout!.on('data', (chunk) => {
      printed += chunk;
      if (printed.includes('\n')) resolve(printed.split('\n')[0]);
    });
    child.on('close', () => reject(new Error(complaints)));
  });
}
