/** @file `evaluation/report.html`: how good a model is, on a page that stands alone. */
import { formatSeconds } from '@transfusion/app-common';
import type { ScoreInput } from './evaluation-file.js';
import { scoreTable } from './evaluation-table.js';
import { escapeHtml } from './html.js';
import { PAGE_STYLE } from './page-style.js';

export interface EvaluationPage {
  title: string;
  /** In sentences: what was examined, how, by whom. */
  facts: readonly string[];
  scores: readonly ScoreInput[];
  /** Measures that do not apply, and why. */
  leftOut: readonly string[];
  /** Sections, in their order. */
  sections: readonly string[];
  /** What each part took. */
  seconds: readonly (readonly [string, number])[];
}

const STYLE = `
.scroll { overflow-x: auto; margin-bottom: 1rem; } table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: right; vertical-align: bottom; padding: .3rem .6rem; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
th { font-weight: normal; font-size: .8rem; max-width: 8rem; line-height: 1.2; } small { white-space: nowrap; }
table.scores { width: 100%; table-layout: fixed; } .scores th:first-child { width: 40%; } td:first-child { text-align: left; }
h3 { font-size: 1rem; margin-top: 1.4rem; } .best td { font-weight: 600; color: var(--good); }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; } .charts > div { flex: 1 1 22rem; max-width: 36rem; }
.grid.wide { grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); }
.card { overflow-wrap: anywhere; } section { margin-top: 2.2rem; }
@media (max-width: 40rem) { body { margin: 1rem auto; } th, td { padding: .3rem .3rem; } .none { display: none; } table.wide { min-width: 27rem; } .wide th:first-child { width: 32%; } }`;

export function evaluationPage({ title, facts, scores, leftOut, sections, seconds }: EvaluationPage): string {
  const times = seconds.map(([part, took]) => `${part} ${formatSeconds(took)}`).join(', ');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${PAGE_STYLE}${STYLE}</style></head><body>
<h1>${escapeHtml(title)}</h1>
${facts.map((fact) => `<p>${escapeHtml(fact)}</p>`).join('\n')}
${scores.length > 0 ? scoreTable(scores) : '<p>No scores yet.</p>'}
${leftOut.length > 0 ? `<details><summary>Left out (${leftOut.length})</summary><ul>${leftOut.map((each) => `<li>${escapeHtml(each)}</li>`).join('')}</ul></details>` : ''}
${sections.join('\n')}
<p class="dim">Time taken: ${escapeHtml(times)}.</p>
</body></html>
`;
}
