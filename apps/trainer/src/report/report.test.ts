/** @file The demo's page: its figures are the result's, its pictures the run's, its HTML is HTML. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodePng, toBytes } from '@transfusion/data';
import type { DrawnExample, Example } from '@transfusion/training';
import { runConfigSchema } from '../config/run-config.js';
import type { DemoResult } from './demo-summary.js';
import { type ReportData, writeReport } from './report.js';
import { findAll, type HtmlElement, parsePage } from './testing/html.js';

const result: DemoResult = {
  ...{ setupSeconds: 3, trainSeconds: 205.4, evaluateSeconds: 20 },
  ...{ backend: 'wasm, 2 threads', parameters: 1_023_456, steps: 6000 },
  ...{ tokensPerSecond: 10_812.4, gflopPerSecond: 60.06, finalTextLoss: 0.1, finalImageLoss: 0.02 },
  ...{ imageRetrieval: 31 / 32, captionAccuracy: 0.5 },
};
const config = runConfigSchema.parse({ name: 'demo', lambda: 5, data: { imageSize: 4 } });

/** Pictures that no two pixels of are alike. */
function example(caption: string | undefined, start: number): Example {
  const pixels = Uint8Array.from({ length: 4 * 4 * 3 }, (_, i) => start + i);
  return { caption, captionIds: [], name: `${start}`, group: `${start}`, width: 4, height: 4, pixels };
}
const examples = [example('red heart', 0), example('frog', 50), example('star', 100)];

function drawn(start: number, nearest: number): DrawnExample {
  const bytes = Uint8Array.from({ length: 4 * 4 * 3 }, (_, i) => start + 2 * i);
  const data = Float32Array.from(bytes, (byte) => byte / 127.5 - 1);
  return { prompt: '', image: { width: 4, height: 4, data }, nearest };
}
const drawings = [drawn(5, 0), drawn(15, 0), drawn(25, 2)];

const metrics = [
  { step: 1, language: 4, diffusion: 1 },
  { step: 2, language: 2, diffusion: 0.5 },
];
const data: ReportData = { result, config, examples, drawings, captions: ['red heart', 'toad', ''], metrics };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfusion-report-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function pageOf(changes: Partial<ReportData> = {}): Promise<HtmlElement> {
  const path = join(folder, 'report.html');
  await writeReport(path, { ...data, ...changes });
  return parsePage(await readFile(path, 'utf8'));
}

const cardsOf = (page: HtmlElement) => findAll(page, 'div', 'card');
const pixelsOf = ({ attributes }: HtmlElement) => {
  const [, base64] = /^data:image\/png;base64,(.*)$/.exec(attributes.src)!;
  const { width, height, data: numbers } = decodePng(Buffer.from(base64, 'base64'));
  return { width, height, pixels: [...toBytes(numbers)] };
};

test('the figures are those of the result', async () => {
  const [figures] = findAll(await pageOf(), 'div', 'figures');
  expect(figures.children.map(({ children: [value, label] }) => [value.text, label.text])).toEqual([
    ['97 %', 'of drawings nearest to their own image'],
    ['50 %', 'of captions exactly right'],
    ['3 min 25 s', 'to train 6000 steps'],
    ['10,812', 'tokens per second'],
    ['60.1', 'GFLOP per second'],
    ['1.02 M', 'parameters'],
  ]);
});

test('the words around them name the run: its pictures, its lambda, its backend', async () => {
  const { text } = await pageOf();
  expect(text).toContain('Trained on 3 captioned emoji');
  expect(text.replace(/\s+/g, ' ')).toContain('cross-entropy plus 5 times the mean squared error');
  expect(text).toContain('Backend: wasm, 2 threads.');
});

test('every card has the training picture and then the drawing, as they are, under the right names', async () => {
  const cards = cardsOf(await pageOf()).map((card) => findAll(card, 'img'));
  expect(cards.map((images) => images.map(({ attributes }) => attributes.alt))).toEqual([
    ['red heart', 'drawn: red heart'],
    ['frog', 'drawn: frog'],
    ['star', 'drawn: star'],
  ]);
  cards.forEach(([given, own], i) => {
    expect(pixelsOf(given)).toEqual({ width: 4, height: 4, pixels: [...examples[i].pixels] });
    expect(pixelsOf(own)).toEqual({ width: 4, height: 4, pixels: [...toBytes(drawings[i].image.data)] });
  });
});

test('every card says what is right and what is wrong', async () => {
  const cards = cardsOf(await pageOf());
  expect(cards.map((card) => findAll(card, 'b')[0].text)).toEqual(['red heart', 'frog', 'star']);
  const marks = cards.map((card) => findAll(card, 'span').map(({ attributes, text }) => [attributes.class, text]));
  expect(marks).toEqual([
    [
      ['right', '✓'],
      ['right', 'red heart'],
    ],
    [
      ['wrong', '✗'],
      ['wrong', 'toad'],
    ],
    [
      ['right', '✓'],
      ['wrong', '(nothing)'],
    ],
  ]);
});

test('the configuration is all there', async () => {
  const [shown] = findAll(await pageOf(), 'pre');
  expect(JSON.parse(shown.text)).toEqual(config);
});

test('the chart has a line for each of the two losses', async () => {
  const [svg] = findAll(await pageOf(), 'svg');
  expect(findAll(svg, 'polyline').map(({ attributes }) => attributes.points.split(' ').length)).toEqual([2, 2]);
  expect(svg.text).toContain('text: cross-entropy per token');
  expect(svg.text).toContain('image: squared error of the noise');
});

test('a run without metrics has a page without chart', async () => {
  const page = await pageOf({ metrics: [] });
  expect(findAll(page, 'svg')).toEqual([]);
  expect(page.text).toContain('No metrics.');
  expect(cardsOf(page)).toHaveLength(3);
});

test('texts are texts, whatever they hold', async () => {
  const nasty = `"><script>alert('1')</script>&amp;<img src=x onerror=1>`;
  const page = await pageOf({
    result: { ...result, backend: nasty },
    config: { ...config, tokenizer: { ...config.tokenizer, file: nasty } },
    examples: [example(nasty, 0)],
    captions: [nasty],
  });
  for (const name of ['script', 'style']) expect(findAll(page, name)).toHaveLength(name === 'style' ? 1 : 0);
  const [card] = cardsOf(page);
  expect(findAll(page, 'img').map(({ attributes }) => Object.keys(attributes))).toEqual([
    ['src', 'alt'],
    ['src', 'alt'],
  ]);
  expect(findAll(card, 'img').map(({ attributes }) => attributes.alt)).toEqual([nasty, `drawn: ${nasty}`]);
  expect(findAll(card, 'b')[0].text).toBe(nasty);
  expect(findAll(card, 'span', 'right').at(-1)?.text).toBe(nasty);
  expect(page.text).toContain(`Backend: ${nasty}.`);
  expect(JSON.parse(findAll(page, 'pre')[0].text).tokenizer.file).toBe(nasty);
});

test('characters that no page may hold are shown as unknown ones', async () => {
  const page = await pageOf({
    examples: [example('a', 0)],
    captions: ['\0a\x1b\x7f\u0085\ud800b\ufffe\u{1ffff}c\td 🦊'],
  });
  expect(findAll(cardsOf(page)[0], 'span', 'wrong')[0].text).toBe('�a����b��c\td 🦊');
});

test('the page stands alone: nothing is loaded from elsewhere', async () => {
  const page = await pageOf();
  for (const name of ['link', 'script', 'iframe', 'object', 'use']) expect(findAll(page, name)).toEqual([]);
  for (const { attributes } of findAll(page, 'img')) expect(attributes.src).toMatch(/^data:/);
  expect(findAll(page, 'style')[0].text).not.toMatch(/url\(|@import/);
});
