/** @file A chart of losses over steps as SVG, logarithmic upwards. */
import type { MetricsRecord } from '@transfusion/checkpoint/node';

export interface Series {
  /** Field of the metrics records. */
  key: string;
  label: string;
  colour: string;
}

const WIDTH = 960;
const HEIGHT = 300;
const LEFT = 52;
const BOTTOM = 28;

export function lossChart(metrics: readonly MetricsRecord[], series: readonly Series[]): string {
  const lines = series.map(({ key }) => pointsOf(metrics, key));
  const values = lines.flat().map(([, value]) => value);
  if (values.length === 0) return '<p>No metrics.</p>';
  const lastStep = Math.max(...lines.flat().map(([step]) => step));
  const [low, high] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))];
  const x = (step: number) => LEFT + (step / lastStep) * (WIDTH - LEFT - 10);
  const y = (value: number) => 10 + ((high - Math.log10(value)) / Math.max(1, high - low)) * (HEIGHT - BOTTOM - 10);
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  const parts = [
    `<rect class="frame" x="${LEFT}" y="10" width="${WIDTH - LEFT - 10}" height="${HEIGHT - BOTTOM - 10}"/>`,
    ...ticks.map((tick) => `<line class="frame" x1="${LEFT}" x2="${WIDTH - 10}" y1="${y(tick)}" y2="${y(tick)}"/>`),
    ...ticks.map((tick) => `<text x="${LEFT - 6}" y="${y(tick) + 4}" text-anchor="end">${tick}</text>`),
    ...[0, 0.25, 0.5, 0.75, 1].map(
      (share) =>
        `<text x="${x(share * lastStep)}" y="${HEIGHT - 8}" text-anchor="${share === 1 ? 'end' : 'middle'}">${Math.round(share * lastStep)}</text>`,
    ),
    ...lines.map((points, i) => {
      const path = points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
      return `<polyline points="${path}" fill="none" stroke="${series[i].colour}" stroke-width="1.5"/>`;
    }),
    ...series.map(
      ({ label, colour }, i) =>
        `<text x="${WIDTH - 20}" y="${30 + 16 * i}" text-anchor="end" style="fill:${colour}">${label}</text>`,
    ),
  ];
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="losses over steps">${parts.join('')}</svg>`;
}

/** Positive values of a field, averaged in at most 200 groups so that the line can be read. */
function pointsOf(metrics: readonly MetricsRecord[], key: string): [number, number][] {
  const points = metrics.flatMap(({ step, [key]: value }): [number, number][] =>
    typeof step === 'number' && typeof value === 'number' && value > 0 ? [[step, value]] : [],
  );
  const group = Math.ceil(points.length / 200);
  const result: [number, number][] = [];
  for (let i = 0; i < points.length; i += group) {
    const part = points.slice(i, i + group);
    result.push([part[part.length - 1][0], part.reduce((sum, [, value]) => sum + value, 0) / part.length]);
  }
  return result;
}
