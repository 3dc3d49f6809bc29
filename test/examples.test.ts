/** @file The examples run as their READMEs say, each in a copy of its folder, with the packages as built. */
import { execFile } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decodePng } from '@transfusion/data';
import { chromium } from 'playwright-core';
import { assertExecutable, findBrowser } from './browser/chromium';
import { serveFolder } from './support/folder-server';
import { usableFolders } from './support/usable-folder';

const run = promisify(execFile);
const root = join(__dirname, '..');
const found = findBrowser();
const place = usableFolders();
const own = ['node-draw', 'page', 'train-folder'];

function copyOf(name: string): string {
  const path = place(name);
  cpSync(join(root, 'examples', name), path, { recursive: true });
  return path;
}

test.each(own)('%s: installs what it imports', (name) => {
  const path = join(root, 'examples', name);
  const { dependencies, devDependencies = {} } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  const scripts = readdirSync(path).filter((file) => /\.m?js$/.test(file));
  const imports = scripts.flatMap((file) =>
    [...readFileSync(join(path, file), 'utf8').matchAll(/from '([^']+)'/g)].map(([, request]) => request),
  );
  const packages = imports.filter((each) => !each.startsWith('node:')).map((each) => each.split('/', 2).join('/'));
  for (const each of packages) expect(Object.keys(dependencies)).toContain(each);
  const { version } = JSON.parse(readFileSync(join(root, 'packages/core/package.json'), 'utf8'));
  for (const [each, range] of Object.entries({ ...dependencies, ...devDependencies })) {
    if (each.startsWith('@transfusion/')) expect(range).toBe(`^${version}`);
  }
});

test('node-draw', async () => {
  const path = copyOf('node-draw');
  const { stdout } = await run(process.execPath, ['draw.mjs', 'runs/demo/model', 'a cat', '1'], { cwd: path });
  expect(stdout).toMatch(/^drawn\.png, 8 x 8: ".*"\n$/);
  expect(decodePng(readFileSync(join(path, 'drawn.png')))).toMatchObject({ width: 8, height: 8 });
  await expect(run(process.execPath, ['draw.mjs', 'runs/demo/model'], { cwd: path })).rejects.toThrow(
    /usage: node draw/,
  );
});

test('train-folder, and node-draw of what it trained', async () => {
  const path = copyOf('train-folder');
  const { stdout } = await run(process.execPath, ['train.mjs', 'pictures', '10', '16'], { cwd: path });
  expect(stdout).toMatch(/^step 10: language \d+\.\d+, diffusion \d+\.\d+\nrun\/model is trained\n$/);
  cpSync(join(root, 'examples/node-draw/draw.mjs'), join(path, 'draw.mjs'));
  const drawn = await run(process.execPath, ['draw.mjs', 'run/model', 'a cat'], { cwd: path });
  expect(drawn.stdout).toMatch(/^drawn\.png, 16 x 16: /);
});

('absent' in found ? test.skip : test)('page', async () => {
  if ('absent' in found) return;
  assertExecutable(found.launch);
  const path = copyOf('page');
  cpSync(join(path, 'runs/demo/model'), join(path, 'public/model'), { recursive: true });
  rmSync(join(path, 'public/page.js'), { force: true });
  const { scripts } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  const [program, ...args] = scripts.build.split(' ');
  await run(process.execPath, [join(root, 'node_modules', program, 'bin', program), ...args], { cwd: path });
  const server = await serveFolder(join(path, 'public'));
  const browser = await chromium.launch({ ...found.launch, headless: true });
  try {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    await page.goto(server.url);
    await page.fill('input', 'a frog');
    await page.click('button:enabled');
    await page.waitForFunction("document.querySelector('output').textContent.startsWith('drawn')");
    expect(await page.evaluate("document.querySelector('canvas').width")).toBe(8);
    expect(problems).toEqual([]);
  } finally {
    await browser.close();
    await server.close();
  }
});
