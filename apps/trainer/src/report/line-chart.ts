/** @file A chart of lines as SVG, with axes from the data. */
import { escapeHtml } from './html.js';

export interface ChartLine {
  label: string;
  /** `told` is shown at the point. */
  points: readonly { x: number; y: number; told: string; isBest?: boolean }[];
}

const WIDTH = 470;
const HEIGHT = 270;
const [LEFT, RIGHT, TOP, BOTTOM] = [48, 14, 30, 40];
const COLOURS = ['#e67e22', '#2e86de', '#27ae60', '#8e44ad', '#c0392b', '#16a085'];

/** Upwards from 0, unless `least` says otherwise. */
export function lineChart(options: {
  title: string;
  across: string;
  lines: readonly ChartLine[];
  least?: number;
}): string {
  const { title, across, lines, least = 0 } = options;
  const points = lines.flatMap((line) => line.points);
  if (points.length === 0) return '';
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const [first, last] = [xs[0], xs[xs.length - 1]];
  const ticks = niceTicks(least, Math.max(...points.map(({ y }) => y)));
  const top = ticks[ticks.length - 1];
  const x = (value: number) => LEFT + ((value - first) / (last - first || 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => TOP + (1 - (value - least) / (top - least)) * (HEIGHT - TOP - BOTTOM);
  const shown = (number: number) => number.toFixed(1);
  const parts = [
    `<text x="${LEFT}" y="16" style="fill: var(--ink)">${escapeHtml(title)}</text>`,
    `<rect class="frame" x="${LEFT}" y="${TOP}" width="${WIDTH - LEFT - RIGHT}" height="${HEIGHT - TOP - BOTTOM}"/>`,
    ...ticks.flatMap((tick) => [
      `<line class="frame" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${shown(y(tick))}" y2="${shown(y(tick))}"/>`,
      `<text x="${LEFT - 6}" y="${shown(y(tick) + 4)}" text-anchor="end">${Number(tick.toPrecision(3))}</text>`,
    ]),
    ...xs.map((value) => `<text x="${shown(x(value))}" y="${HEIGHT - 24}" text-anchor="middle">${value}</text>`),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escapeHtml(across)}</text>`,
    ...lines.map(({ points: own }, i) => {
      const colour = COLOURS[i % COLOURS.length];
      const line = own.map((point) => `${shown(x(point.x))},${shown(y(point.y))}`).join(' ');
      const dots = own.map((point) => {
        const [cx, cy] = [shown(x(point.x)), shown(y(point.y))];
        const ring = point.isBest
          ? `<circle cx="${cx}" cy="${cy}" r="7" fill="none" stroke="${colour}" stroke-width="2"/>`
          : '';
        return `${ring}<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"><title>${escapeHtml(point.told)}</title></circle>`;
      });
      return `<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="1.5"/>${dots.join('')}`;
    }),
    ...lines.map(({ label }, i) => {
      const at = HEIGHT - BOTTOM - 10 - 15 * (lines.length - 1 - i);
      return `<text x="${WIDTH - RIGHT - 8}" y="${at}" text-anchor="end" style="fill: ${COLOURS[i % COLOURS.length]}">${escapeHtml(label)}</text>`;
    }),
  ];
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">${parts.join('')}</svg>`;
}

/** Round numbers, five or so, from `least` to `most` or above. */
function niceTicks(least: number, most: number): number[] {
  const span = most - least || 1;
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => each * 5 >= span) ?? 10 * power;
  const count = Math.max(1, Math.ceil(span / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, i) => least + i * step);
}
