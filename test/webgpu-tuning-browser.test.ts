/** The store of what was measured in a real browser: IndexedDB. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { indexedDbTuningStore } from '../packages/webgpu/src/tuning/indexed-db-store.js';
import { assertExecutable, findBrowser } from './browser/chromium.js';

/** What the script puts on the page's global. */
declare const tuning: { indexedDbTuningStore: typeof indexedDbTuningStore };

const root = resolve(__dirname, '..');
const BUILD = `
import { build } from 'tsup';
await build({
  entry: { store: 'packages/webgpu/src/tuning/indexed-db-store.ts' },
  format: 'iife',
  globalName: 'tuning',
  outDir: process.argv[1],
  outExtension: () => ({ js: '.js' }),
  platform: 'browser',
  config: false,
  silent: true,
});`;

const found = findBrowser();
if ('absent' in found) console.warn(`The browser test of the tuning store is skipped: ${found.absent}`);
const inBrowser = 'absent' in found ? describe.skip : describe;

inBrowser('IndexedDB', () => {
  let browser: Browser;
  let script: string;
  beforeAll(async () => {
    if ('absent' in found) return;
    assertExecutable(found.launch);
    const folder = await mkdtemp(join(tmpdir(), 'transfusion-tuning-'));
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', BUILD, folder], { cwd: root });
    script = await readFile(join(folder, 'store.js'), 'utf8');
    await rm(folder, { recursive: true, force: true });
    browser = await chromium.launch({ ...found.launch, headless: true });
  });
  afterAll(() => browser?.close());

  test('keeps entries by key, adds to them, and still has them in another page', async () => {
    const context = await browser.newContext();
    const open = async (): Promise<Page> => {
      const page = await context.newPage();
      await page.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }));
      await page.goto('http://localhost/');
      await page.addScriptTag({ content: script });
      return page;
    };
    const first = await open();
    const atFirst = await first.evaluate(async () => {
      const store = tuning.indexedDbTuningStore();
      const nothing = await store.load('adapter');
      await Promise.all([store.save('adapter', { small: 'tiled' }), store.save('adapter', { large: 'skinny' })]);
      await store.save('another', { small: 'quad' });
      return nothing === undefined;
    });
    expect(atFirst).toBe(true);
    await first.close();
    const second = await open();
    const kept = await second.evaluate(async () => {
      const store = tuning.indexedDbTuningStore();
      await store.save('adapter', { small: 'register' });
      return await store.load('adapter');
    });
    expect(kept).toEqual({ small: 'register', large: 'skinny' });
    await context.close();
  });
});
