/** @file A page fetches a model of a hub at another origin: kept in OPFS, fetched once by pages at once, gone on with after a page was closed. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveModelFolder } from '@transfusion/checkpoint/node';
import { openModel } from '@transfusion/sampler/node';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { answers, HubServer, sendFile, sha256 } from '../../packages/hub/src/testing/hub-server';
import { createSampler } from '../../packages/sampler/src/index.js';
import { tinyCodecWeights, tinyKl, tinyLatentConfig } from '../../packages/sampler/src/testing/tiny-codec';
import { byteTokenizer, tinyWeights } from '../../packages/sampler/src/testing/tiny-model';
import { openWasm } from '../../packages/wasm/src/index.js';
import { bundle } from './bundle.js';
import { assertExecutable, findBrowser } from './chromium.js';
import type { hub as inPage } from './hub.js';
import { type PageServer, servePage } from './server.js';

/** What the script puts on the page's global. */
declare const hub: typeof inPage;

const found = findBrowser();
if ('absent' in found) console.warn(`The browser tests are skipped: ${found.absent}`);
const inBrowser = 'absent' in found ? describe.skip : describe;
const BIG = 'big.safetensors';
const big = Buffer.alloc(20_000_000, 0).map((_, i) => (i * 31 + (i >> 12)) % 251);
const sums = Array.from({ length: 20 }, (_, i) => big.subarray(i * 1e6, (i + 1) * 1e6).reduce((a, b) => a + b, 0));

inBrowser('a model of a hub in a page', () => {
  let folder: string;
  let pages: PageServer;
  let browser: Browser;
  let context: BrowserContext;
  let server: HubServer;

  beforeAll(async () => {
    if ('absent' in found) return;
    assertExecutable(found.launch);
    folder = await mkdtemp(join(tmpdir(), 'transfusion-browser-hub-'));
    const config = tinyLatentConfig(tinyKl);
    await saveModelFolder({
      ...{ path: join(folder, 'model'), config, tensors: tinyWeights(config), tokenizer: byteTokenizer().toJson() },
      vae: { config: tinyKl, tensors: tinyCodecWeights(tinyKl) },
    });
    const names = (await readdir(join(folder, 'model'), { recursive: true })).filter((name) => name.includes('.'));
    const files = await Promise.all(
      names.map(async (name) => [name, await readFile(join(folder, 'model', name))] as const),
    );
    server = await HubServer.start();
    server.cors = true;
    server.commit('owner/tiny', { ...Object.fromEntries(files), [`x/${BIG}`]: big });
    pages = await servePage(await bundle('hub.ts', 'sources'));
    browser = await chromium.launch({ ...found.launch, headless: true });
  });
  beforeEach(async () => {
    server.forget();
    context = await browser.newContext();
  });
  afterEach(() => context.close());
  afterAll(async () => {
    await browser?.close();
    await pages?.close();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function open(): Promise<Page> {
    const page = await context.newPage();
    await page.goto(pages.url('plain'));
    return page;
  }
  const draw = (page: Page, offline = false) =>
    page.evaluate(([endpoint, offline]) => hub.draw(endpoint, offline), [server.url, offline] as const);
  const fetchBig = (page: Page) =>
    page.evaluate(([endpoint, file]) => hub.fetch(endpoint, file), [server.url, `x/${BIG}`] as const);

  test("Node's picture; a second page fetches nothing, and one without a network draws it too", async () => {
    const backend = await openWasm({ threads: 1, fusedMultiplyAdd: false });
    const model = await openModel(join(folder, 'model'), backend);
    const images = await createSampler({ backend, ...model }).drawImages({ prompts: ['red', ''], seed: 4, steps: 2 });
    await backend.dispose();
    const expected = images.map(({ data }) => [...data]);
    expect(await draw(await open())).toEqual(expected);
    expect(server.bodies.length).toBe(5);
    server.forget();
    expect(await draw(await open())).toEqual(expected);
    expect(server.log).toEqual(['GET hub /api/models/owner/tiny/revision/main']);
    server.forget();
    expect(await draw(await open(), true)).toEqual(expected);
    expect(server.log).toEqual([]);
  });

  test('pages at once fetch it once; the token goes to the hub alone', async () => {
    const [first, second] = await Promise.all([open(), open()]);
    const [a, b] = await Promise.all([draw(first), draw(second)]);
    expect(a).toEqual(b);
    expect(server.bodies.length).toBe(5);
    const tokens = (at: string) => [...new Set(server.requests.filter((each) => each.at === at).map((r) => r.token))];
    expect([tokens('hub'), tokens('cdn')]).toEqual([['Bearer hf_secret'], [undefined]]);
  });

  test('a page that is closed half way: the next goes on', async () => {
    const isBig = ({ path }: { path: string }) => path === `/${sha256(big)}`;
    server.fault = answers((response) => {
      response.writeHead(200, { 'Content-Length': big.length });
      response.write(big.subarray(0, 12_000_000));
    }, isBig);
    const page = await open();
    fetchBig(page).catch(() => {});
    await page.waitForFunction(() => {
      const { progress } = globalThis as { progress?: { fetched: number } };
      return progress !== undefined && progress.fetched >= 12_000_000;
    });
    await page.close();
    server.forget();
    const fetched = await fetchBig(await open());
    const asked = server.requests.filter(isBig).map(({ range }) => Number(range!.slice(0, -1)));
    expect(asked).toHaveLength(1);
    expect(asked[0]).toBeGreaterThanOrEqual(2 ** 23);
    expect(fetched.progress).toMatchObject({ total: big.length, done: big.length, fetched: big.length - asked[0] });
    expect(fetched.sums).toEqual(sums);
  });

  test('wrong bytes are refused', async () => {
    server.fault = answers(
      (response, request) => sendFile(request, response, Buffer.alloc(big.length), '"x"'),
      ({ path }) => path === `/${sha256(big)}`,
    );
    await expect(fetchBig(await open())).rejects.toThrow(/HUB_HASH: owner\/tiny\/x\/big\.safetensors/);
  });
});
