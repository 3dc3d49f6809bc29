import type { MetricsRecord } from '@transfusion/checkpoint/node';
import { lossChart } from './loss-chart.js';
import { findAll, type HtmlElement, parsePage } from './testing/html.js';

const series = [{ key: 'loss', label: 'the loss', colour: '#123456' }];
const records = (...losses: unknown[]) => losses.map((loss, i) => ({ step: i + 1, loss })) as MetricsRecord[];

function chartOf(metrics: readonly MetricsRecord[], lines = series): HtmlElement {
  const html = `<!doctype html><html><head><title>x</title></head><body>${lossChart(metrics, lines)}</body></html>`;
  const [svg] = findAll(parsePage(html), 'svg');
  return svg;
}

const numbers = ({ attributes }: HtmlElement, ...names: string[]) => names.map((name) => Number(attributes[name]));
const pointsOf = (line: HtmlElement) => line.attributes.points.split(' ').map((point) => point.split(',').map(Number));
const onlyLine = (svg: HtmlElement) => pointsOf(findAll(svg, 'polyline')[0]);

/** The heights of the marked values, as the chart names them. */
function marks(svg: HtmlElement): Map<number, number> {
  const values = findAll(svg, 'text').filter(({ attributes: { x } }) => x === '46');
  const heights = findAll(svg, 'line').map((line) => numbers(line, 'y1')[0]);
  expect(values).toHaveLength(heights.length);
  return new Map(values.map(({ text }, i) => [Number(text), heights[i]]));
}

test('a value stands at the height of its mark, and powers of ten are equally far apart', () => {
  const svg = chartOf(records(10, 1, 0.1, 0.01));
  const line = onlyLine(svg);
  const heights = marks(svg);
  expect([...heights.keys()].sort((a, b) => a - b)).toEqual([0.01, 0.1, 1, 10]);
  [10, 1, 0.1, 0.01].forEach((value, i) => expect(line[i][1]).toBeCloseTo(heights.get(value)!, 0));
  const gaps = line.slice(1).map(([, y], i) => y - line[i][1]);
  for (const gap of gaps) expect(gap).toBeCloseTo(gaps[0], 0);
  expect(gaps[0]).toBeGreaterThan(50);
});

test('steps run evenly from the left to the last at the right edge of the frame, and are named below', () => {
  const svg = chartOf([10, 20, 40].map((step) => ({ step, loss: 1.5 })) as MetricsRecord[]);
  const [left, width] = numbers(findAll(svg, 'rect')[0], 'x', 'width');
  const across = onlyLine(svg).map(([x]) => (x - left) / width);
  [0.25, 0.5, 1].forEach((share, i) => expect(across[i]).toBeCloseTo(share, 2));
  const named = findAll(svg, 'text').filter(({ attributes: { y } }) => y === '292');
  expect(named.map(({ text }) => text)).toEqual(['0', '10', '20', '30', '40']);
  named.forEach((each, i) => expect((numbers(each, 'x')[0] - left) / width).toBeCloseTo(i / 4, 6));
});

test.each([
  ['one step', [0.7]],
  ['one power of ten', [1, 1]],
  ['many sizes', [4000, 3, 0.000_02]],
])('all of a line is inside the frame: %s', (_, losses) => {
  const svg = chartOf(records(...losses));
  const [x, y, width, height] = numbers(findAll(svg, 'rect')[0], 'x', 'y', 'width', 'height');
  const line = onlyLine(svg);
  expect(line).toHaveLength(losses.length);
  for (const [left, top] of line) {
    expect(left).toBeGreaterThanOrEqual(x - 0.1);
    expect(left).toBeLessThanOrEqual(x + width + 0.1);
    expect(top).toBeGreaterThanOrEqual(y - 0.1);
    expect(top).toBeLessThanOrEqual(y + height + 0.1);
  }
});

test('many steps are shown as means of at most 200 groups, each at its last step', () => {
  const alternating = Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? 0.5 : 1.5));
  const svg = chartOf(records(...alternating, 1, 1, 1));
  const line = onlyLine(svg);
  // 1,003 steps in groups of six, the last of one.
  expect(line).toHaveLength(168);
  const [left, width] = numbers(findAll(svg, 'rect')[0], 'x', 'width');
  expect((line[0][0] - left) / width).toBeCloseTo(6 / 1003, 3);
  expect((line[167][0] - left) / width).toBeCloseTo(1, 3);
  for (const [, y] of line) expect(y).toBeCloseTo(marks(svg).get(1)!, 0);
});

test('what is no positive number is left out, and so are records of something else', () => {
  const svg = chartOf([...records(2, null, 0, -1, undefined, 'x', 3), { step: 8, heldOut: { loss: 5 } } as never]);
  expect(onlyLine(svg)).toHaveLength(2);
});

test('each series has its line and its name, in its colour', () => {
  const two = [...series, { key: 'other', label: 'another', colour: '#abcdef' }];
  const svg = chartOf([1, 2].map((step) => ({ step, loss: 1, other: 10 * step })) as MetricsRecord[], two);
  expect(findAll(svg, 'polyline').map(({ attributes }) => attributes.stroke)).toEqual(['#123456', '#abcdef']);
  const named = findAll(svg, 'text').filter(({ attributes }) => attributes.style);
  expect(named.map(({ text, attributes: { style } }) => [text, style])).toEqual([
    ['the loss', 'fill:#123456'],
    ['another', 'fill:#abcdef'],
  ]);
  const [first, second] = findAll(svg, 'polyline').map(pointsOf);
  expect(first.map(([, y]) => y)).toEqual([marks(svg).get(1), marks(svg).get(1)].map((y) => expect.closeTo(y!, 0)));
  expect(second[0][1]).toBeCloseTo(marks(svg).get(10)!, 0);
  expect(second[1][1]).toBeLessThan(second[0][1]);
});

test('without a record there is no chart', () => {
  expect(lossChart([], series)).toBe('<p>No metrics.</p>');
  expect(lossChart([{ step: 1, other: 3 } as MetricsRecord], series)).toBe('<p>No metrics.</p>');
});
