/** @file Losses along the noise, as SVG: one line for each split or run, logarithmic upwards. */
import type { TimestepLoss } from '@transfusion/training';
import { escapeHtml } from './html.js';

export interface TimestepSeries {
  label: string;
  points: readonly TimestepLoss[];
}

const WIDTH = 470;
const HEIGHT = 270;
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 12, 26, 40];
const COLOURS = ['#e67e22', '#2e86de', '#27ae60', '#8e44ad', '#c0392b', '#16a085'];

/** What was held out, and what was trained on. */
export function splitSeries(losses: {
  heldOut?: readonly TimestepLoss[];
  train?: readonly TimestepLoss[];
}): TimestepSeries[] {
  return [
    ...(losses.heldOut ? [{ label: 'held out', points: losses.heldOut }] : []),
    ...(losses.train ? [{ label: 'trained on', points: losses.train }] : []),
  ];
}

/**
 * A section of a page: the error of the prediction, and that of the image which it implies, by which runs of different predictions
 * compare.
 *
 * @param predicted what the model predicts, in words; default: left out
 */
export function timestepSection(series: readonly TimestepSeries[], predicted?: string): string {
  if (series.every(({ points }) => points.length === 0)) return '';
  const what = predicted === undefined ? 'the prediction' : `the predicted ${predicted}`;
  const charts = [
    timestepChart(series, 'prediction', `squared error of ${what}`),
    timestepChart(series, 'image', 'squared error of the image that it implies'),
  ];
  return `<section class="timesteps"><h2>Loss along the noise</h2>
<div style="display: flex; flex-wrap: wrap; gap: 1rem">${charts.map((chart) => `<div style="flex: 1 1 22rem">${chart}</div>`).join('')}</div>
<p class="dim">From nearly clean images (left) to nearly noise (right). Where the line of what was held out rises above that of what was trained on, the model knows its images by heart. The right chart is the same error, told as that of the clean image: models that predict different things compare there.</p></section>`;
}

/** One chart. Lines are drawn over noise / (signal + noise), which noise schedules share. */
export function timestepChart(
  series: readonly TimestepSeries[],
  measure: 'prediction' | 'image',
  title: string,
): string {
  const lines = series.map(({ points }) =>
    points.filter(({ [measure]: value }) => value > 0 && Number.isFinite(value)),
  );
  const values = lines.flat().map((point) => point[measure]);
  if (values.length === 0) return '<p>No losses.</p>';
  const { ticks, low, high } = axisOf(Math.min(...values), Math.max(...values));
  const x = (share: number) => LEFT + share * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => {
    const height = (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low));
    return TOP + (1 - height) * (HEIGHT - TOP - BOTTOM);
  };
  const shown = (number: number) => number.toFixed(1);
  const parts = [
    `<text x="${LEFT}" y="14" style="fill: var(--ink, #1c1e21)">${escapeHtml(title)}</text>`,
    `<rect class="frame" x="${LEFT}" y="${TOP}" width="${WIDTH - LEFT - RIGHT}" height="${HEIGHT - TOP - BOTTOM}"/>`,
    ...ticks.flatMap((tick) => [
      `<line class="frame" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${shown(y(tick))}" y2="${shown(y(tick))}"/>`,
      `<text x="${LEFT - 6}" y="${shown(y(tick) + 4)}" text-anchor="end">${Number(tick.toPrecision(1))}</text>`,
    ]),
    ...[0, 0.25, 0.5, 0.75, 1].map(
      (share) =>
        `<text x="${x(share)}" y="${HEIGHT - 24}" text-anchor="${share === 1 ? 'end' : 'middle'}">${100 * share} %</text>`,
    ),
    `<text x="${x(0.5)}" y="${HEIGHT - 6}" text-anchor="middle">noise in the image</text>`,
    ...lines.map((points, i) => {
      const at = points.map((point) => [shown(x(noiseShare(point))), shown(y(point[measure]))]);
      const dots = points.map((point, k) => {
        const told = `${series[i].label}, timestep ${point.timestep}: ${point[measure].toPrecision(3)}`;
        return `<circle cx="${at[k][0]}" cy="${at[k][1]}" r="2.5" fill="${colourOf(i)}"><title>${escapeHtml(told)}</title></circle>`;
      });
      return `<polyline points="${at.map((each) => each.join(',')).join(' ')}" fill="none" stroke="${colourOf(i)}" stroke-width="1.5"/>${dots.join('')}`;
    }),
    ...series.map(({ label }, i) => {
      return `<text x="${WIDTH - RIGHT - 8}" y="${TOP + 16 + 15 * i}" text-anchor="end" style="fill: ${colourOf(i)}">${escapeHtml(label)}</text>`;
    }),
  ];
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}, along the noise">${parts.join('')}</svg>`;
}

function noiseShare({ signal, noise }: TimestepLoss): number {
  return noise / (signal + noise);
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length];
}

/** Ticks of 1, 2 and 5 times powers of ten, or of these alone where there are many; they hold all values. */
function axisOf(least: number, most: number): { ticks: number[]; low: number; high: number } {
  const [first, last] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  const steps = last - first > 3 ? [1] : [1, 2, 5];
  const all = Array.from({ length: last - first + 1 }, (_, i) => steps.map((step) => step * 10 ** (first + i))).flat();
  const low = all.findLast((tick) => tick <= least) ?? all[0];
  const above = all.find((tick) => tick >= most && tick > low) ?? low * 10;
  return { ticks: all.filter((tick) => tick >= low && tick <= above), low, high: above };
}
