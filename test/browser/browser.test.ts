/** The packages in a real browser: bundled from their sources, on web workers and on navigator.gpu. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { assertExecutable, findBrowser } from './chromium.js';
import type { PageTests } from './page.js';
import { perform, type TrainingReport } from './perform.js';
import { type PageServer, servePage } from './server.js';

declare const tests: PageTests;

/** A few of each family; the whole suite runs in Node. */
const CASES = [
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
/** A software adapter compiles slowly. */
const WEBGPU_CASES = ['special values: exp', 'sums over each choice of axes', 'matmul 65x33x17 B^T', 'softmax of 17'];
const STEPS = 3;

const found = findBrowser();
if ('absent' in found) console.warn(`skipped: ${found.absent}`);
const inBrowser = 'absent' in found ? describe.skip : describe;
const onWebGpu = process.env.TRANSFUSION_SKIP_WEBGPU === '1' ? test.skip : test;
// Starting a browser and compiling on a software adapter take long on a busy machine.
jest.setTimeout(120_000);

/** Bundles in a process of its own: jest's module registry has no dynamic imports, which tsup needs. */
function bundle(origin: 'sources' | 'dist'): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'transfusion-browser-'));
  try {
    execFileSync(process.execPath, [join(__dirname, 'bundle.mjs'), origin, folder], { encoding: 'utf8' });
    return readFileSync(join(folder, 'page.js'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

inBrowser('in a browser', () => {
  let server: PageServer;
  let browser: Browser;
  let inNode: TrainingReport;
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    if ('absent' in found) return;
    assertExecutable(found.launch);
    server = await servePage(bundle('sources'));
    browser = await chromium.launch({ ...found.launch, headless: true });
    const { training } = await perform({
      backend: { wasm: { threads: 1, fusedMultiplyAdd: false } },
      cases: [],
      trainingSteps: STEPS,
    });
    inNode = training;
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
    const { description, mismatches, training } = await page.evaluate((task) => tests.perform(task), {
      backend: { wasm: { threads: 3, fusedMultiplyAdd: false } },
      cases: CASES,
      trainingSteps: STEPS,
    });
    expect(description).toMatch('3 threads, SIMD');
    expect(mismatches).toEqual({});
    expect(training).toEqual(inNode);
  });

  test('wasm in a worker of an isolated page, which may sleep, with fused multiply-add', async () => {
    await open('isolated');
    const { description, mismatches, training } = await page.evaluate((task) => tests.performInWorker(task), {
      backend: { wasm: { threads: 2 } },
      cases: CASES,
      trainingSteps: STEPS,
    });
    expect(description).toMatch('2 threads, relaxed SIMD');
    expect(mismatches).toEqual({});
    expectClose(training, inNode);
  });

  test('wasm in a page that is not isolated: one thread, the same bits', async () => {
    await open('plain');
    const { description, mismatches, training } = await page.evaluate((task) => tests.perform(task), {
      backend: { wasm: { threads: 3, fusedMultiplyAdd: false } },
      cases: CASES,
      trainingSteps: STEPS,
    });
    expect(description).toMatch(/1 thread, SIMD.*COOP and COEP/);
    expect(mismatches).toEqual({});
    expect(training).toEqual(inNode);
  });

  onWebGpu('webgpu on navigator.gpu', async () => {
    await open('plain');
    const { description, mismatches, training } = await page.evaluate((task) => tests.perform(task), {
      backend: 'webgpu' as const,
      cases: WEBGPU_CASES,
      trainingSteps: STEPS,
    });
    expect(description).toMatch('navigator.gpu');
    expect(mismatches).toEqual({});
    expectClose(training, inNode);
  });
});

/** Losses and gradient norms, but for rounding. */
function expectClose(actual: TrainingReport, expected: TrainingReport) {
  expect(actual.losses).toHaveLength(expected.losses.length);
  actual.losses.flat().forEach((loss, i) => {
    expect(Math.abs(loss / expected.losses.flat()[i] - 1)).toBeLessThan(1e-3);
  });
}
