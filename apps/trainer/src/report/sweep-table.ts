/** @file Settings of sampling that were tried: a table, and charts over the guidance, the best marked. */
import type { SweptSetting } from '@transfusion/evaluation';
import { escapeHtml } from './html.js';
import { type ChartLine, lineChart } from './line-chart.js';

type Swept = SweptSetting<{ top1: number; top5: number; agreement?: number }>;

const MEASURES = [
  ['top1', 'own picture nearest'],
  ['top5', 'own picture among the 5 nearest'],
  ['agreement', 'agreement of captions and drawings'],
] as const;

export function sweepTable(swept: readonly Swept[], best: number): string {
  const measures = MEASURES.filter(([measure]) => swept.some(({ scores }) => scores[measure] !== undefined));
  const head = ['sampler', 'steps', 'guidance', ...measures.map(([, words]) => words), 'seconds'];
  const rows = swept.map(({ setting, scores, seconds }, i) => {
    const cells = [
      ...[setting.scheduler, setting.steps, setting.guidance],
      ...measures.map(([measure]) => scores[measure]?.toFixed(measure === 'agreement' ? 1 : 3) ?? ''),
      seconds.toFixed(1),
    ];
    const mark = i === best ? ' class="best"' : '';
    return `<tr${mark}>${cells.map((cell) => `<td>${escapeHtml(String(cell))}</td>`).join('')}</tr>`;
  });
  const charts = measures.map(([measure, words]) => {
    const lines = linesOf(swept, measure, best);
    const values = lines.flatMap(({ points }) => points.map(({ y }) => y));
    // Shares are of all; agreement has no zero that means anything.
    const least = measure === 'agreement' ? 10 * Math.floor(Math.min(...values) / 10) : 0;
    const chart = lineChart({ title: words, across: 'guidance', lines, least });
    return `<div>${chart}</div>`;
  });
  return `<div class="charts">${charts.join('')}</div>
<div class="scroll"><table class="sweep"><thead><tr>${head.map((name) => `<th>${name}</th>`).join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`;
}

/** One for each sampler and number of steps. */
function linesOf(swept: readonly Swept[], measure: (typeof MEASURES)[number][0], best: number): ChartLine[] {
  const lines = new Map<string, { x: number; y: number; told: string; isBest: boolean }[]>();
  swept.forEach(({ setting: { scheduler, steps, guidance }, scores }, i) => {
    const label = `${scheduler}, ${steps} steps`;
    const y = scores[measure];
    if (y === undefined) return;
    const told = `${label}, guidance ${guidance}: ${y.toPrecision(3)}`;
    lines.set(label, [...(lines.get(label) ?? []), { x: guidance, y, told, isBest: i === best }]);
  });
  return [...lines].map(([label, points]) => ({ label, points: points.sort((a, b) => a.x - b.x) }));
}
