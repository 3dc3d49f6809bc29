/** @file A model opened by a page, from a server of another origin: the picture is that of Node. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveModelFolder } from '@transfusion/checkpoint/node';
import { type Browser, chromium, type Page } from 'playwright-core';
import { type FileServer, fileListener, serve } from '../../packages/checkpoint/src/testing/file-server';
import { tinyCodecWeights, tinyKl, tinyLatentConfig } from '../../packages/sampler/src/testing/tiny-codec';
import { byteTokenizer, tinyWeights } from '../../packages/sampler/src/testing/tiny-model';
import { bundle } from './bundle.js';
import { assertExecutable, findBrowser } from './chromium.js';
import { models as inNode } from './model.js';
import { type PageServer, servePage } from './server.js';

/** What the script puts on the page's global. */
declare const models: typeof inNode;

const found = findBrowser();
if ('absent' in found) console.warn(`The browser tests are skipped: ${found.absent}`);
const inBrowser = 'absent' in found ? describe.skip : describe;
// Starting a browser takes long on a busy machine.

inBrowser('a model from another origin', () => {
  let folder: string;
  let files: Record<string, Uint8Array>;
  let pages: PageServer;
  let browser: Browser;
  let page: Page;
  let server: FileServer;

  beforeAll(async () => {
    if ('absent' in found) return;
    assertExecutable(found.launch);
    folder = await mkdtemp(join(tmpdir(), 'transfusion-browser-model-'));
    const config = tinyLatentConfig(tinyKl);
    await saveModelFolder({
      ...{ path: join(folder, 'model'), config, tensors: tinyWeights(config), tokenizer: byteTokenizer().toJson() },
      vae: { config: tinyKl, tensors: tinyCodecWeights(tinyKl) },
    });
    files = {};
    for (const inside of ['', 'vae/']) {
      for (const name of await readdir(join(folder, 'model', inside))) {
        if (name !== 'vae') files[inside + name] = await readFile(join(folder, 'model', inside, name));
      }
    }
    // More than what is asked for at once, so that parts are needed.
    expect(files['vae/diffusion_pytorch_model.safetensors'].length).toBeGreaterThan(2 ** 16);
    pages = await servePage(await bundle('model.ts', 'sources'));
    browser = await chromium.launch({ ...found.launch, headless: true });
  });
  afterAll(async () => {
    await browser?.close();
    await pages?.close();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    page = await browser.newPage();
    await page.goto(pages.url('plain'));
  });
  afterEach(async () => {
    await page.close();
    await server.close();
  });

  const allowing = (listener: RequestListener, headers: Record<string, string>): RequestListener => {
    return (request, response) => {
      for (const [name, value] of Object.entries({ 'Access-Control-Allow-Origin': '*', ...headers })) {
        response.setHeader(name, value);
      }
      listener(request, response);
    };
  };
  const drawInPage = () => page.evaluate((address) => models.draw(address), server.url);

  test.each<[string, { ranges?: boolean }, Record<string, string>]>([
    ['in parts, whose range the page may see', {}, { 'Access-Control-Expose-Headers': 'Content-Range, ETag' }],
    ['in parts, whose range it may not see', {}, {}],
    ['in whole files', { ranges: false }, {}],
  ])('%s', async (_, options, headers) => {
    server = await serve(allowing(fileListener(files, options), headers));
    const pictures = await drawInPage();
    expect(pictures).toEqual(await inNode.draw(server.url));
    expect(pictures[0]).not.toEqual(pictures[1]);
  });

  test('each file at an address of its own, a small one in it, as a bundler places those of a package; checked by hashes', async () => {
    server = await serve(allowing(fileListener(files), {}));
    const names = Object.keys(files);
    const addresses = Object.fromEntries(names.map((name) => [name, `${server.url}/${name}`]));
    addresses['config.json'] = `data:application/json;base64,${Buffer.from(files['config.json']).toString('base64')}`;
    const sums = Object.fromEntries(
      names.map((name) => [name, createHash('sha256').update(files[name]).digest('hex')]),
    );
    const drawIn = (given: typeof sums) =>
      page.evaluate(([addresses, sums]) => models.draw(addresses, sums), [addresses, given] as const);
    expect(await drawIn(sums)).toEqual(await inNode.draw(server.url));
    await expect(drawIn({ ...sums, 'tokenizer.json': sums['config.json'] })).rejects.toThrow(
      /CHECKPOINT_FORMAT: addresses\/tokenizer\.json is not the file that was published/,
    );
  });

  test('a server that does not allow it: what that may be', async () => {
    server = await serve(fileListener(files));
    await expect(drawInPage()).rejects.toThrow(
      /CHECKPOINT_READ_FAILED: .*config\.json: .*\n.*Access-Control-Allow-Origin/,
    );
  });
});
