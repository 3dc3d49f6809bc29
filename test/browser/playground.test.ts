/** @file The playground in a real browser: it draws, describes, repaints and trains, on WebGPU and without. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { saveModelFolder } from '@transfusion/checkpoint/node';
import { squareImage } from '@transfusion/data';
import { createSampler, readDrawing } from '@transfusion/sampler';
import { openModelFolder } from '@transfusion/sampler/node';
import type { Backend } from '@transfusion/tensor';
import { openWasm } from '@transfusion/wasm';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { byteTokenizer, tinyConfig, tinyWeights } from '../../packages/sampler/src/testing/tiny-model';
import { serveFolder } from '../../scripts/lib/static-server.mjs';
import { assertExecutable, findBrowser } from './chromium';
import { PlaygroundPage } from './playground-page';

/** What its script puts on the page's global. */
declare const axe: {
  run(options?: { runOnly: string[] }): Promise<{ violations: { id: string; nodes: { target: string[] }[] }[] }>;
};

const found = findBrowser();
if ('absent' in found) console.warn(`The browser tests are skipped: ${found.absent}`);
const inBrowser = 'absent' in found ? describe.skip : describe;
const onWebGpu = process.env.TRANSFUSION_SKIP_WEBGPU === '1' ? test.skip : test;
const root = resolve(__dirname, '../..');
const panels = ['draw', 'describe', 'edit', 'train', 'inside'];
const common: BrowserContextOptions = { locale: 'en-US', reducedMotion: 'reduce' };
const desktop: BrowserContextOptions = { ...common, viewport: { width: 1280, height: 860 } };
const phone: BrowserContextOptions = {
  ...{ ...common, viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true },
};

inBrowser('the playground', () => {
  let folder: string;
  let browser: Browser;
  let backend: Backend;
  let axeSource: string;
  const servers: Record<'isolated' | 'plain', Awaited<ReturnType<typeof serveFolder>>> = {} as never;
  const contexts: BrowserContext[] = [];
  let problems: string[] = [];

  beforeAll(async () => {
    if ('absent' in found) return;
    assertExecutable(found.launch);
    folder = await mkdtemp(join(tmpdir(), 'transfusion-playground-'));
    const config = tinyConfig();
    const model = join(folder, 'runs/tiny/model');
    await saveModelFolder({ path: model, config, tensors: tinyWeights(config), tokenizer: byteTokenizer().toJson() });
    const out = join(folder, 'dist');
    const build = [join(root, 'apps/playground/scripts/build.mjs'), '--model', model, '--out', out];
    await promisify(execFile)(process.execPath, build, { cwd: root, env: { ...process.env, NODE_ENV: 'production' } });
    servers.isolated = await serveFolder(out);
    servers.plain = await serveFolder(out, { isolated: false });
    axeSource = await readFile(require.resolve('axe-core'), 'utf8');
    backend = await openWasm({ threads: 1 });
    browser = await chromium.launch({ ...found.launch, headless: true });
  });
  afterAll(async () => {
    await browser?.close();
    await backend?.dispose();
    await Promise.all(Object.values(servers).map((server) => server.close()));
    if (folder) await rm(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    expect(problems).toEqual([]);
  });

  /** A page of its own storage. Whatever it complains of, or asks of another server, is a problem. */
  async function newPage(options: BrowserContextOptions): Promise<Page> {
    problems = [];
    const context = await browser.newContext(options);
    contexts.push(context);
    const page = await context.newPage();
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    context.on('request', (request) => {
      const url = request.url();
      const isOwn = Object.values(servers).some((server) => url.startsWith(server.url));
      if (!isOwn && !/^(blob|data):/.test(url)) problems.push(url);
    });
    return page;
  }

  /** The tiny model's picture and caption, in Node. */
  async function inNode(prompt: string) {
    const sampler = createSampler({ backend, ...(await openModelFolder(join(folder, 'runs/tiny/model'), backend)) });
    const [image] = await sampler.drawImages({ prompts: [prompt] });
    return { image, describe: (picture: typeof image) => sampler.captionImages({ images: [picture] }) };
  }

  /** Draws, describes and repaints; the picture and its caption are those of Node. */
  async function usesTheModel(playground: PlaygroundPage, tolerance: number): Promise<void> {
    const { png, image } = await playground.draw('red');
    const expected = await inNode('red');
    const drawn = squareImage(image, 4);
    drawn.data.forEach((value, i) => expect(Math.abs(value - expected.image.data[i])).toBeLessThan(tolerance));
    expect(readDrawing(png, 'the download')).toMatchObject({ command: 'generate', prompt: 'red', seed: 0 });

    const caption = await playground.describe();
    if (tolerance < 0.02) expect(caption).toBe((await expected.describe(expected.image))[0].trim());
    expect(caption).not.toBe('');

    const { before, after } = await playground.repaint('blue');
    const changed = before.flatMap((value, i) => (Math.abs(value - after[i]) > 1 ? [i >> 2] : []));
    expect(changed.length).toBeGreaterThan(0);
    // A brush of half the width on the middle of 4 x 4 pixels.
    expect([5, 6, 9, 10]).toEqual(expect.arrayContaining([...new Set(changed)]));
  }

  /** Trains, is closed in the middle, opened again, gone on with, exported, and opened from the file. */
  async function trains(playground: PlaygroundPage, steps: number): Promise<void> {
    const { page } = playground;
    await playground.train(steps);
    await playground.pauseAfter(5);
    const paused = await playground.kept();
    expect(paused.step).toBeGreaterThanOrEqual(5);
    await page.reload();
    await page.click('button:has-text("Resume")', { timeout: 60_000 });
    await page.waitForSelector('h2:has-text("Finished")', { timeout: 90_000 });
    const { step, losses } = await playground.kept();
    expect(step).toBe(steps);
    expect(losses.slice(0, paused.step)).toEqual(paused.losses);
    const mean = (some: typeof losses, term: 'language' | 'diffusion') =>
      some.reduce((sum, each) => sum + each[term], 0) / some.length;
    for (const term of ['language', 'diffusion'] as const) {
      expect(mean(losses.slice(-8), term)).toBeLessThan(0.9 * mean(losses.slice(0, 8), term));
    }
    await page.click('button:has-text("Draw with it")');
    await page.waitForSelector('header button:has-text("A taste")', { timeout: 60_000 });
    await page.click('header button:has-text("A taste")');
    const zip = await playground.download('button:has-text("Export")');
    const file = { name: 'brought-back.zip', mimeType: 'application/zip', buffer: Buffer.from(zip) };
    await page.setInputFiles('dialog[open] input[accept*=zip]', file);
    await page.waitForSelector('header button:has-text("brought-back")', { timeout: 60_000 });
    // Under it nothing can be written.
    await page.waitForSelector('dialog[open]', { state: 'hidden' });
    const { image } = await playground.draw('red heart');
    expect(image.width).toBe(512);
  }

  test('on the CPU', async () => {
    const playground = new PlaygroundPage(await newPage(desktop));
    await playground.open(servers.isolated.url, 'backend=wasm&threads=2');
    expect(await playground.backend()).toMatch(/2 threads, 128-bit.*GFLOP\/s.*kept in this browser/s);
    await usesTheModel(playground, 1.5 / 127.5);
    await trains(playground, 160);
  });

  onWebGpu('on WebGPU', async () => {
    const playground = new PlaygroundPage(await newPage(desktop));
    await playground.open(servers.isolated.url, 'backend=webgpu');
    expect(await playground.backend()).toMatch(/through navigator\.gpu/);
    await usesTheModel(playground, 3 / 127.5);
    await trains(playground, 20);
  });

  test('from a server without the headers: its service worker sets them; without that, one thread', async () => {
    const playground = new PlaygroundPage(await newPage(desktop));
    await playground.open(servers.plain.url, 'backend=wasm&threads=2');
    expect(await playground.page.evaluate(() => crossOriginIsolated)).toBe(true);
    expect(await playground.backend()).toMatch('2 threads');
    const plain = new PlaygroundPage(await newPage(desktop));
    await plain.open(servers.plain.url, 'backend=wasm&threads=2&plain');
    expect(await plain.backend()).toMatch('1 thread,');
    await plain.draw('red');
  });

  test('published without a model, it offers to train one; a damaged one is refused', async () => {
    const page = await newPage(phone);
    const shipped = JSON.parse(await readFile(join(folder, 'dist/shipped.json'), 'utf8'));
    await page.route('**/shipped.json', (route) => route.fulfill({ json: { ...shipped, model: undefined } }));
    await page.goto(`${servers.isolated.url}?backend=wasm`);
    await page.click('button:has-text("Train one")', { timeout: 60_000 });
    await page.waitForSelector('h1:has-text("Train a model")');
    shipped.model.files['config.json'].sha256 = '0'.repeat(64);
    await page.unroute('**/shipped.json');
    await page.route('**/shipped.json', (route) => route.fulfill({ json: shipped }));
    await page.reload();
    await page.waitForSelector('[role=alert] >> text=not the file that was published', { timeout: 60_000 });
  });

  test.each([
    ['on a desk', desktop],
    ['on a phone', phone],
  ])('%s it fits, and axe finds nothing, in light and in dark', async (_, options) => {
    const page = await newPage(options);
    const playground = new PlaygroundPage(page);
    await playground.open(servers.isolated.url, 'backend=wasm');
    await playground.draw('red');
    await page.evaluate(axeSource);
    const faults: string[] = [];
    for (const colours of ['Dark', 'Light']) {
      await page.click(`header button[aria-label="${colours} colours"]`);
      for (const panel of panels) {
        await playground.go(panel);
        if (panel === 'inside') await page.waitForSelector('canvas[aria-label^="Attention"]');
        for (const details of await page.$$('details:not([open]) > summary:visible')) await details.click();
        faults.push(...(await playground.tooWide()).map((each) => `${panel}: too wide: ${each}`));
        // In other colours only colours are other.
        const rules = colours === 'Dark' ? undefined : { runOnly: ['color-contrast', 'link-in-text-block'] };
        const { violations } = await page.evaluate((options) => axe.run(options), rules);
        for (const { id, nodes } of violations) {
          faults.push(...nodes.map(({ target }) => `${colours} ${panel}: ${id}: ${target.join(' ')}`));
        }
      }
    }
    for (const name of ['CPU', 'tiny']) {
      await page.click(`header button:has-text("${name}")`);
      const { violations } = await page.evaluate(() => axe.run());
      faults.push(...violations.map(({ id }) => `${name}: ${id}`));
      await page.keyboard.press('Escape');
    }
    expect(faults).toEqual([]);
  });
});
