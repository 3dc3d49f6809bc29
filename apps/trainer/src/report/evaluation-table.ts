/** @file Scores as a table: for a terminal, and for a page. */
import type { ScoreInput } from './evaluation-file.js';
import { escapeHtml } from './html.js';

/** Three digits that say something; of large numbers all before the point. */
export function shownValue(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e6) return value.toExponential(2);
  if (Number.isInteger(value)) return String(value);
  if (size >= 1000) return value.toFixed(0);
  return size >= 100 ? value.toFixed(1) : size >= 0.01 ? value.toFixed(size >= 10 ? 2 : 3) : value.toPrecision(2);
}

function besideOf({ beside = [] }: ScoreInput): string[] {
  return beside.map(({ name, value }) => `${shownValue(value)} ${name}`);
}

function countOf({ count }: ScoreInput): string {
  return count === undefined ? '' : `n = ${count}`;
}

/** Lines: by split a heading, and below it each measure with what stands beside it. */
export function scoreLines(scores: readonly ScoreInput[]): string {
  const widest = scores.reduce((most, { name }) => Math.max(most, name.length), 0);
  return grouped(scores)
    .flatMap(({ heading, scores: own }) => [
      heading,
      ...own.map((score) => {
        const beside = besideOf(score);
        const told = beside.length > 0 ? `  (${beside.join(', ')})` : '';
        return `  ${score.name.padEnd(widest)} ${shownValue(score.value).padStart(8)}  ${countOf(score).padEnd(7)}${told}`.trimEnd();
      }),
    ])
    .join('\n');
}

/** By split a heading; below it tables, one for each kind of things that scores stand beside. */
export function scoreTable(scores: readonly ScoreInput[]): string {
  return grouped(scores)
    .map(({ heading, scores: own }) => {
      const tables = alike(own).map(tableOf);
      return `<h3>${escapeHtml(heading)}</h3>\n${tables.join('\n')}`;
    })
    .join('\n');
}

/** Columns of what scores stand beside, empty ones included: so that all scores stand below each other. */
const BESIDE = 4;

function tableOf(scores: readonly ScoreInput[]): string {
  const names = (scores[0].beside ?? []).map(({ name }) => name);
  const none = (tag: string) => `<${tag} class="none"></${tag}>`.repeat(Math.max(0, BESIDE - names.length));
  const head = ['', 'score', ...names].map((name, i) => `<th${i > 1 ? ' class="dim"' : ''}>${escapeHtml(name)}</th>`);
  const rows = scores.map((score) => {
    const better =
      score.better && ` <span class="dim" title="${score.better} is better">${ARROWS[score.better]}</span>`;
    const beside = (score.beside ?? []).map(({ value }) => `<td class="dim">${shownValue(value)}</td>`);
    return `<tr><td>${escapeHtml(score.name)}${better ?? ''} <small class="dim">${countOf(score)}</small></td><td><b>${shownValue(score.value)}</b></td>${beside.join('')}${none('td')}</tr>`;
  });
  const wide = names.length > 2 ? ' wide' : '';
  return `<div class="scroll"><table class="scores${wide}"><thead><tr>${head.join('')}${none('th')}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`;
}

const ARROWS = { higher: '↑', lower: '↓' };

/** Runs of scores that the same things stand beside. */
function alike(scores: readonly ScoreInput[]): ScoreInput[][] {
  const runs: ScoreInput[][] = [];
  const names = ({ beside = [] }: ScoreInput) => JSON.stringify(beside.map(({ name }) => name));
  for (const score of scores) {
    const last = runs.at(-1);
    if (last && names(last[0]) === names(score)) last.push(score);
    else runs.push([score]);
  }
  return runs;
}

/** Scores of one dataset and split stand together, in their order. */
function grouped(scores: readonly ScoreInput[]): { heading: string; scores: ScoreInput[] }[] {
  const groups = new Map<string, ScoreInput[]>();
  for (const score of scores) {
    const heading = [score.dataset, score.split].join(', ');
    groups.set(heading, [...(groups.get(heading) ?? []), score]);
  }
  return [...groups].map(([heading, own]) => ({ heading, scores: own }));
}
