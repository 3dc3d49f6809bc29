/** @file The chart of losses along the noise: its points lie where their numbers say, and labels are texts. */
import type { TimestepLoss } from '@transfusion/training';
import { findAll, type HtmlElement, parsePage } from './testing/html.js';
import { splitSeries, timestepSection } from './timestep-chart.js';

const page = (html: string) =>
  parsePage(`<!doctype html><html><head><title>t</title></head><body>${html}</body></html>`);
const point = (timestep: number, prediction: number, image: number): TimestepLoss => {
  const noise = (timestep + 1) / 1000;
  return { timestep, signal: 1 - noise, noise, prediction, image };
};
const heldOut = [point(249, 0.1, 0.01), point(499, 1, 0.1), point(749, 0.5, 1)];
const train = heldOut.map((each) => ({ ...each, prediction: each.prediction / 2, image: each.image / 2 }));

const pointsOf = (line: HtmlElement) => line.attributes.points.split(' ').map((each) => each.split(',').map(Number));

test('two charts with a line for each split, from little noise to much, larger losses higher', () => {
  const charts = findAll(page(timestepSection(splitSeries({ heldOut, train }), 'noise')), 'svg');
  expect(charts.map(({ text }) => text)).toEqual([
    expect.stringContaining('squared error of the predicted noise'),
    expect.stringContaining('squared error of the image that it implies'),
  ]);
  for (const chart of charts) {
    const [held, trained] = findAll(chart, 'polyline').map(pointsOf);
    expect(held.map(([x]) => x)).toEqual(trained.map(([x]) => x));
    // A quarter, a half and three quarters of the frame.
    const [{ attributes: frame }] = findAll(chart, 'rect', 'frame');
    const shares = held.map(([x]) => (x - Number(frame.x)) / Number(frame.width));
    [0.25, 0.5, 0.75].forEach((share, i) => expect(shares[i]).toBeCloseTo(share, 2));
    // A factor of two is as high everywhere.
    const gaps = held.map(([, y], i) => trained[i][1] - y);
    for (const gap of gaps) expect(Math.abs(gap - gaps[0])).toBeLessThan(0.21);
    expect(gaps[0]).toBeGreaterThan(5);
    expect(chart.text).toContain('held out');
    expect(chart.text).toContain('trained on');
  }
  const [prediction, image] = charts.map((chart) => pointsOf(findAll(chart, 'polyline')[0]).map(([, y]) => y));
  expect(prediction[1]).toBeLessThan(prediction[2]);
  expect(image[2]).toBeLessThan(image[1]);
  expect(findAll(charts[0], 'title').map(({ text }) => text)).toContain('held out, timestep 499: 1.00');
});

test('every value lies in the frame, whatever the range', () => {
  for (const factor of [1e-6, 0.3, 1, 2, 7, 1e4]) {
    for (const spread of [1, 1.0001, 30, 1e7]) {
      const points = [point(100, factor, 1), point(500, factor * spread, 1)];
      const [chart] = findAll(page(timestepSection([{ label: 'run', points }])), 'svg');
      for (const [, y] of pointsOf(findAll(chart, 'polyline')[0])) {
        expect(y).toBeGreaterThanOrEqual(25.9);
        expect(y).toBeLessThanOrEqual(230.1);
      }
    }
  }
});

test('labels are texts, and without losses there is no section', () => {
  const nasty = '"><script>alert(1)</script>&';
  const shown = page(timestepSection([{ label: nasty, points: heldOut }], nasty));
  expect(findAll(shown, 'script')).toEqual([]);
  expect(shown.text).toContain(nasty);
  expect(timestepSection([])).toBe('');
  expect(timestepSection(splitSeries({}))).toBe('');
});
