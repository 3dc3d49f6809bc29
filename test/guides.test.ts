/**
 * @file The guides do what they say: the `ts` blocks of each are one program, which runs in a folder with pictures and a
 * model without training; those marked `ts page` in a browser. What takes hours takes a few steps here. Their types are checked
 * by scripts/check-pack.mjs, which has those of the packages.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decodePng } from '@transfusion/data';
import { type Browser, chromium } from 'playwright-core';
import ts from 'typescript';
import { guideCode, guideNames, guidesFolder as guides } from '../scripts/lib/guides.mjs';
import { assertExecutable, findBrowser } from './browser/chromium';
import { serveFolder } from './support/folder-server';
import { usableFolders } from './support/usable-folder';

const run = promisify(execFile);
const root = join(__dirname, '..');
const found = findBrowser();

interface Guide {
  /** What stands in the guide, and what in its place is run: what is asked of a reader's patience is not asked of a test. */
  instead?: readonly (readonly [string, string])[];
  /** Looks at what it printed and at the files it left. */
  check(printed: string, folder: string): void;
}

const pictureOf = (file: string) => decodePng(readFileSync(file));
const values = (file: string) => [...pictureOf(file).data];

const programs: Record<string, Guide> = {
  'train-on-your-folder.md': {
    instead: [
      ['steps: 4000, batch: { rows: 8 }', 'steps: 2, batch: { rows: 2 }'],
      ['size: 32', 'size: 16'],
    ],
    check(printed, folder) {
      expect(printed).toMatch(/^4 pictures, 0 that cannot be read$/m);
      expect(pictureOf(join(folder, 'drawn.png'))).toMatchObject({ width: 16, height: 16 });
      const lines = readFileSync(join(folder, 'runs/mine/metrics.jsonl'), 'utf8').trim().split('\n');
      expect(JSON.parse(lines.at(-1)!)).toMatchObject({ step: 2, diffusion: expect.any(Number) });
    },
  },
  'stream-a-dataset.md': {
    instead: [['steps: 4000, batch: { rows: 8 }', 'steps: 2, batch: { rows: 2 }']],
    check(printed) {
      const [first, ...rest] = printed.trim().split('\n');
      expect(first).toMatch(/^4 pictures, shards [0-9a-f]{8}$/);
      expect(rest.at(-2)).toMatch(/^epoch 1 begins with /);
      expect(rest.at(-1)).toMatch(/^step 2: diffusion loss \d\.\d\d$/);
      expect(printed.match(/\(3072 bytes\)/g)).toHaveLength(4);
    },
  },
  'edit.md': {
    check(_, folder) {
      const [variant, hat, edited] = ['variant', 'hat', 'edited'].map((name) => values(join(folder, `${name}.png`)));
      const half = 8 * 4 * 3;
      // The fixture's cat is of one colour.
      expect(new Set(hat.slice(half)).size).toBe(1);
      expect(hat.slice(0, half)).not.toEqual(hat.slice(half));
      expect(variant).not.toEqual(edited);
    },
  },
  'lora.md': {
    instead: [['steps: 400, batch: { rows: 4 }', 'steps: 2, batch: { rows: 2 }']],
    check(_, folder) {
      expect(values(join(folder, 'style-0.5.png'))).not.toEqual(values(join(folder, 'style-1.png')));
      expect(readdirSync(join(folder, 'runs/style/model'))).toContain('adapter_model.safetensors');
    },
  },
  'write-a-kernel.md': {
    check: (printed) => expect(printed).toBe("[ 'matmul' ]\n[]\n"),
  },
  'add-a-scheduler.md': {
    check(printed) {
      const errors = printed
        .trim()
        .split('\n')
        .map((line) => /Euler (\S+), midpoint (\S+)$/.exec(line)!.slice(1).map(Number));
      const ratios = (column: number) => [0, 1].map((i) => errors[i][column] / errors[i + 1][column]);
      for (const ratio of ratios(0)) expect(Math.abs(ratio - 2)).toBeLessThan(0.3);
      for (const ratio of ratios(1)) expect(Math.abs(ratio - 8)).toBeLessThan(0.5);
      expect(errors).toHaveLength(3);
    },
  },
  'stable-diffusion-vae.md': {
    instead: [
      ["openCheckpoint('sd-vae'", `openCheckpoint('${join(root, 'packages/vae/fixtures/kl')}'`],
      ['{ height: 256, width: 256 }', '{ height: 16, width: 16 }'],
    ],
    check(printed, folder) {
      expect(printed).toMatch(/^{ height: 8, width: 8, channels: 2 } PSNR -?[\d.]+ dB$/m);
      expect(pictureOf(join(folder, 'back.png'))).toMatchObject({ width: 16, height: 16 });
    },
  },
  'in-a-server.md': {
    check: (printed) => expect(printed).toMatch(/^200 image\/png \d+\n400 SAMPLER_OPTIONS: .*\n *seed: Too small/),
  },
  'serve-many.md': {
    check: (printed) => expect(printed).toMatch(/^true\nalone: \d+ ms for 4\nshared: \d+ ms for 4\n$/),
  },
};
/** For the browser. */
const pages = ['in-a-page.md'];

const place = usableFolders();

test('every guide is in the list of guides, and here', () => {
  const names = guideNames();
  expect(names.sort()).toEqual([...Object.keys(programs), ...pages].sort());
  const list = readFileSync(join(guides, 'README.md'), 'utf8');
  for (const name of names) expect(list).toContain(`](${name})`);
  for (const name of names)
    expect(readFileSync(join(guides, name), 'utf8')).toMatch(/^\*\*What you see at the end\.\*\*/m);
});

test.each([...Object.keys(programs), ...pages])('%s installs what it imports', (name) => {
  const text = readFileSync(join(guides, name), 'utf8');
  const installed = /^npm install (.+)$/m.exec(text)![1].split(' ');
  const code = guideCode(name, pages.includes(name) ? 'ts page' : 'ts');
  const imported = ts.preProcessFile(code).importedFiles.map(({ fileName }) => fileName.split('/', 2).join('/'));
  expect(imported.filter((each) => !each.startsWith('node:') && !installed.includes(each))).toEqual([]);
});

test('the other code is JavaScript', () => {
  for (const name of readdirSync(guides)) {
    const text = readFileSync(join(guides, name), 'utf8');
    for (const [, code] of text.matchAll(/^```js\r?\n([\s\S]*?)^```/gm)) {
      const { diagnostics } = ts.transpileModule(code, {
        reportDiagnostics: true,
        fileName: `${name}.mjs`,
        compilerOptions: { allowJs: true },
      });
      expect(diagnostics).toEqual([]);
    }
  }
});

test.each(Object.keys(programs))('%s', async (name) => {
  const { instead = [], check } = programs[name];
  let code = guideCode(name, 'ts');
  for (const [written, tried] of instead) {
    expect(code.split(written)).toHaveLength(2);
    code = code.replace(written, tried);
  }
  const path = place(name);
  writeFileSync(join(path, 'program.mjs'), javascript(code));
  const { stdout } = await run(process.execPath, ['program.mjs'], { cwd: path });
  check(stdout, path);
});

function javascript(code: string): string {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true };
  return ts.transpileModule(code, { compilerOptions }).outputText;
}

('absent' in found ? test.skip : test)('in-a-page.md', async () => {
  if ('absent' in found) return;
  assertExecutable(found.launch);
  const path = place('in-a-page');
  const [, html] = /^```html\r?\n([\s\S]*?)^```/m.exec(readFileSync(join(guides, 'in-a-page.md'), 'utf8'))!;
  mkdirSync(join(path, 'dist/models'), { recursive: true });
  cpSync(join(path, 'runs/demo/model'), join(path, 'dist/models/demo'), { recursive: true });
  writeFileSync(join(path, 'dist/index.html'), `<!doctype html><link rel="icon" href="data:,">${html}`);
  writeFileSync(join(path, 'page.js'), javascript(guideCode('in-a-page.md', 'ts page')));
  const esbuild = join(root, 'node_modules/esbuild/bin/esbuild');
  await run(
    process.execPath,
    [esbuild, 'page.js', '--bundle', '--format=esm', '--outfile=dist/page.js', '--log-level=warning'],
    { cwd: path },
  );
  const server = await serveFolder(join(path, 'dist'));
  const browser: Browser = await chromium.launch({ ...found.launch, headless: true });
  try {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    await page.goto(server.url);
    await page.waitForFunction("document.querySelector('#told').textContent.startsWith('drawn on')").catch(() => {
      throw new Error(`it drew nothing\n${problems.join('\n')}`);
    });
    const drawn = await page.evaluate(
      "[...document.querySelector('#drawing').getContext('2d').getImageData(0, 0, 8, 8).data]",
    );
    expect(problems).toEqual([]);
    expect(new Set((drawn as number[]).filter((_, i) => i % 4 < 3)).size).toBeGreaterThan(16);
    expect((drawn as number[]).filter((_, i) => i % 4 === 3)).toEqual(new Array(64).fill(255));
  } finally {
    await browser.close();
    await server.close();
  }
});
