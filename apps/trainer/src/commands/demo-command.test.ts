/** @file The demo as a whole, on a model that is small enough for a test: what it leaves behind agrees with what it says. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodePng } from '@transfusion/data';
import { run } from '../main.js';
import type { DemoResult } from '../report/demo-summary.js';
import { findAll, parsePage } from '../report/testing/html.js';

const PICTURES = 3;
const STEPS = 12;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-demo-'));
  // Progress goes there.
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterAll(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true });
});

async function demo() {
  const sizes = { layers: 1, channels: 16, heads: 2, feedForward: 24 };
  const set = {
    ...{ codec: null, patchSize: 4, steps: STEPS, 'sampling.steps': 2, logEvery: 3 },
    ...{ 'data.imageSize': 8, 'data.demoSet': PICTURES, 'batch.rows': 2, 'tokenizer.vocabularySize': 270 },
    ...Object.fromEntries(Object.entries(sizes).map(([name, size]) => [`model.${name}`, size])),
  };
  const fields = Object.entries(set).flatMap(([name, value]) => ['--set', `${name}=${JSON.stringify(value)}`]);
  const [out, log]: string[][] = [[], []];
  const code = await run(['demo', '--runs', join(folder, 'runs'), '--backend', 'wasm', '--threads', '1', ...fields], {
    out: (text) => void out.push(text),
    log: (text) => void log.push(text),
    signal: new AbortController().signal,
  });
  return { code, out: out.join('\n'), log: log.join('\n') };
}

test('trains, scores, and leaves a page, a grid and figures that agree; a second demo keeps the first', async () => {
  const { code, out, log } = await demo();
  expect([code, log]).toEqual([0, expect.stringContaining('captioning')]);
  const files = ['report.html', 'samples.png', 'demo.json'].map((name) => join(folder, 'runs', 'demo', name));
  for (const file of files) expect(out).toContain(file);
  const [page, grid, json] = await Promise.all(files.map((file) => readFile(file)));

  const result: DemoResult = JSON.parse(json.toString());
  expect(result).toMatchObject({ steps: STEPS, backend: expect.stringMatching(/^wasm, .*1 thread/) });
  for (const [name, value] of Object.entries(result)) if (name !== 'backend') expect(value).toBeGreaterThanOrEqual(0);
  const html = parsePage(page.toString());
  const cards = findAll(html, 'div', 'card');
  expect(cards).toHaveLength(PICTURES);
  const marks = cards.map((card) => findAll(card, 'span').map(({ attributes }) => attributes.class));
  const share = (which: number) => marks.filter((each) => each[which] === 'right').length / PICTURES;
  expect([share(0), share(1)]).toEqual([result.imageRetrieval, result.captionAccuracy]);
  const percent = (of: number) => `${(100 * of).toFixed(0)} %`;
  expect(out).toContain(`${percent(share(0))} of the drawings`);
  expect(out).toContain(`${percent(share(1))} of the captions`);
  expect(html.text).toContain(`to train ${STEPS} steps`);
  for (const { attributes } of findAll(html, 'polyline')) expect(attributes.points.split(' ')).toHaveLength(STEPS / 3);
  // Two rows of three, enlarged to 72 pixels, with gaps of 4.
  expect(decodePng(grid)).toMatchObject({ width: 3 * 76 + 4, height: 2 * 76 + 4 });

  const again = await demo();
  expect([again.code, again.log]).toEqual([0, expect.stringContaining('is kept in')]);
  expect((await readdir(join(folder, 'runs'))).sort()).toEqual(['demo', 'demo-1']);
  expect(await readFile(join(folder, 'runs', 'demo-1', 'demo.json'))).toEqual(json);
}, 60_000);
