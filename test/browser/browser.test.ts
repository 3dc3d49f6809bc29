/** The packages in a real browser: bundled, on web workers and on navigator.gpu. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { bundle } from './bundle.js';
import { assertExecutable, findBrowser } from './chromium.js';
import type { PageTests } from './page.js';
import { perform, type TrainingReport } from './perform.js';
import type { PublishedPackages } from './published.js';
import { type PageServer, servePage } from './server.js';

/** What the scripts put on the page's global. */
declare const tests: PageTests;
declare const packages: PublishedPackages;

/** A few of each family; the whole suite runs in Node. */
const cases = [
  'special values: exp',
  'integers are moved bit by bit',
  'a long chain with shared parts',
  'sums over each choice of axes',
  'permute and reshape',
  'concatenate',
  'matmul 65x33x17 B^T',
  'batched matmul A^T',
  'split inner axis (weight gradient)',
  'matmul with bias, activation and residual',
  'softmax of 17',
  'RMSNorm of 130',
  'cross-entropy over 17 classes',
  'gather and scatter-add rows of 17',
  'attention: packed documents',
  'attention: empty and out-of-range intervals',
];
const trainingSteps = 20;

const found = findBrowser();
if ('absent' in found) console.warn(`The browser tests are skipped: ${found.absent}`);
const inBrowser = 'absent' in found ? describe.skip : describe;
const onWebGpu = process.env.TRANSFUSION_SKIP_WEBGPU === '1' ? test.skip : test;
const onceBuilt = existsSync(join(__dirname, '../../packages/checkpoint/dist/index.js')) ? test : test.skip;
// Starting a browser and compiling on a software adapter take long on a busy machine.

inBrowser('in a browser', () => {
  let server: PageServer;
  let browser: Browser;
  let inNode: TrainingReport;
  let page: Page;
  let problems: string[] = [];

  beforeAll(async () => {
    if ('absent' in found) return;
    assertExecutable(found.launch);
    server = await servePage(await bundle('page.ts', 'sources'));
    browser = await chromium.launch({ ...found.launch, headless: true });
    const backend = { wasm: { threads: 1, fusedMultiplyAdd: false } };
    inNode = (await perform({ backend, cases: [], trainingSteps })).training;
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  async function open(kind: 'isolated' | 'plain') {
    page = await browser.newPage();
    problems = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    await page.goto(server.url(kind));
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(kind === 'isolated');
  }
  afterEach(async () => {
    await page?.close();
    expect(problems).toEqual([]);
  });

  test('wasm in an isolated page: threads, and the bits of Node', async () => {
    await open('isolated');
    const backend = { wasm: { threads: 3, fusedMultiplyAdd: false } };
    const report = await page.evaluate((task) => tests.perform(task), { backend, cases, trainingSteps });
    expect(report.description).toMatch('3 threads, 128-bit SIMD');
    expect(report.mismatches).toEqual({});
    expect(report.training).toEqual(inNode);
  });

  test('wasm in a worker of an isolated page: threads that may sleep, fused multiply-add', async () => {
    await open('isolated');
    const backend = { wasm: { threads: 2 } };
    const report = await page.evaluate((task) => tests.performInWorker(task), { backend, cases, trainingSteps });
    expect(report.description).toMatch('2 threads, 128-bit relaxed SIMD');
    expect(report.mismatches).toEqual({});
    expectClose(report.training, inNode);
  });

  test('wasm in a page that is not isolated: one thread, the bits of Node', async () => {
    await open('plain');
    const backend = { wasm: { threads: 3, fusedMultiplyAdd: false } };
    const report = await page.evaluate((task) => tests.perform(task), { backend, cases, trainingSteps });
    expect(report.description).toMatch(/1 thread, 128-bit SIMD.*COOP and COEP/);
    expect(report.mismatches).toEqual({});
    expect(report.training).toEqual(inNode);
  });

  onWebGpu('webgpu on navigator.gpu', async () => {
    await open('plain');
    const backend = 'webgpu' as const;
    const report = await page.evaluate((task) => tests.perform(task), { backend, cases, trainingSteps });
    expect(report.description).toMatch('through navigator.gpu');
    expect(report.mismatches).toEqual({});
    expectClose(report.training, inNode);
  });

  onceBuilt('what every package publishes loads in a page', async () => {
    await open('plain');
    await page.addScriptTag({ content: await bundle('published.ts', 'dist') });
    const names = await page.evaluate(() => Object.entries(packages).map(([name, all]) => [name, Object.keys(all)]));
    expect(names).toHaveLength(15);
    expect(names.filter(([, exported]) => exported.length === 0)).toEqual([]);
  });
});

/** Losses and gradient norms, but for rounding. */
function expectClose(actual: TrainingReport, expected: TrainingReport) {
  expect(actual.losses).toHaveLength(expected.losses.length);
  actual.losses.flat().forEach((value, i) => {
    expect(Math.abs(value / expected.losses.flat()[i] - 1)).toBeLessThan(1e-4);
  });
}
