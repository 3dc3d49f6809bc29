/** @file The page of an evaluation: texts stay texts, numbers are those that were measured. */
import { captionCards, drawingCards, editCards, section } from './evaluation-cards.js';
import type { ScoreInput } from './evaluation-file.js';
import { evaluationPage } from './evaluation-page.js';
import { scoreLines, scoreTable, shownValue } from './evaluation-table.js';
import { lineChart } from './line-chart.js';
import { sweepTable } from './sweep-table.js';
import { findAll, parsePage } from './testing/html.js';

const image = { width: 2, height: 2, data: new Float32Array(12) };
const evil = '<img src=x onerror=alert(1)> & "so on"';
const scores: ScoreInput[] = [
  { name: `first ${evil}`, dataset: 'emoji', split: 'new', value: 0.123456, better: 'higher', count: 7 },
  { name: 'second', dataset: 'emoji', split: 'new', value: 1234.5678, beside: [{ name: 'chance', value: 0.0001234 }] },
  { name: 'third', dataset: 'emoji', split: 'new', value: 2, beside: [{ name: 'chance', value: 0 }] },
  { name: 'fourth', dataset: 'texts', split: 'new', value: -0.5, better: 'lower' },
];

test('numbers have three digits that say something', () => {
  const shown = [0.123456, 1234.5678, 0.0001234, 0, 12.345, -0.0026, 1, 2_150_825_226.3, Number.POSITIVE_INFINITY].map(
    shownValue,
  );
  expect(shown).toEqual(['0.123', '1235', '0.00012', '0', '12.35', '-0.0026', '1', '2.15e+9', 'Infinity']);
});

test('in a terminal: by split, with what stands beside', () => {
  expect(scoreLines(scores.slice(1))).toBe(
    [
      'emoji, new',
      '  second     1235           (0.00012 chance)',
      '  third         2           (0 chance)',
      'texts, new',
      '  fourth   -0.500',
    ].join('\n'),
  );
});

test('a page: a table for each kind of comparison, all texts as they are', () => {
  const html = evaluationPage({
    ...{ title: evil, facts: [evil], scores, leftOut: [evil], seconds: [['text', 61]] },
    sections: [
      section(evil, evil, [
        { title: evil, html: drawingCards([{ real: image, drawn: image, caption: evil, rank: 112 }]) },
        { html: captionCards([{ image, caption: evil, written: evil, isRight: false, isNameRight: true }]) },
        { html: editCards([{ given: image, drawn: image, result: image, instruction: evil, isRight: true }]) },
      ]),
    ],
  });
  const page = parsePage(html);
  expect(findAll(page, 'img')).toHaveLength(2 + 1 + 3);
  for (const { attributes } of findAll(page, 'img')) expect(attributes.src).toMatch(/^data:image\/png;base64,/);
  expect(findAll(page, 'table')).toHaveLength(3);
  expect(page.text.split(evil)).toHaveLength(1 + 12);
  for (const told of ['0.123', '1235', '0.00012', '112th nearest', '1 min 1 s', 'n = 7'])
    expect(page.text).toContain(told);
  expect(parsePage(`<!doctype html><title>t</title>${scoreTable(scores)}`).text).toContain('texts, new');
});

test('ordinals are those of English', () => {
  const places = [2, 3, 4, 11, 12, 13, 21, 22, 23, 101, 111].map((rank) => {
    const card = drawingCards([{ real: image, drawn: image, caption: 'a', rank }]);
    return /(\d+\w\w) nearest/.exec(card)?.[1];
  });
  expect(places).toEqual(['2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '22nd', '23rd', '101st', '111th']);
});

test('lines are where their values are, and the best has a ring', () => {
  const told = (x: number, y: number, isBest = false) => ({ x, y, told: `${x}: ${y}`, isBest });
  const svg = lineChart({
    title: 't',
    across: 'guidance',
    lines: [{ label: evil, points: [told(1, 0), told(3, 1, true)] }],
  });
  const page = parsePage(`<!doctype html><title>t</title>${svg}`);
  const circles = findAll(page, 'circle').map(({ attributes: { cx, cy, r } }) => [cx, cy, r].map(Number));
  // A frame from 48, 30 to 456, 230; from 0 to 1.
  expect(circles).toEqual([
    [48, 230, 3],
    [456, 30, 7],
    [456, 30, 3],
  ]);
  expect(page.text).toContain(evil);
  expect(lineChart({ title: 't', across: 'x', lines: [] })).toBe('');
});

test('a sweep: a row for each setting, a line for each sampler and number of steps', () => {
  const swept = [1, 2].flatMap((guidance) =>
    (['heun', 'euler'] as const).map((scheduler) => ({
      setting: { scheduler, steps: 10, guidance },
      scores: { top1: guidance / 10, top5: 0.5 },
      seconds: 1.23,
    })),
  );
  const page = parsePage(`<!doctype html><title>t</title>${sweepTable(swept, 2)}`);
  expect(findAll(page, 'svg')).toHaveLength(2);
  expect(findAll(page, 'polyline')).toHaveLength(4);
  expect(findAll(page, 'tr')).toHaveLength(5);
  expect(findAll(page, 'tr', 'best').map(({ text }) => text)).toEqual([
    expect.stringMatching(/heun\s*10\s*2\s*0\.200/),
  ]);
});
