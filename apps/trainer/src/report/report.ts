/** @file `report.html`: a page that stands alone, for people who would rather look than read. */
import { writeFile } from 'node:fs/promises';
import { formatSeconds } from '@transfusion/app-common';
import type { MetricsRecord } from '@transfusion/checkpoint/node';
import { encodePng, imageOf, type RgbImage } from '@transfusion/data';
import type { DrawnExample, Example } from '@transfusion/training';
import type { RunConfig } from '../config/run-config.js';
import type { DemoResult } from './demo-summary.js';
import { lossChart } from './loss-chart.js';

export interface ReportData {
  result: DemoResult;
  config: RunConfig;
  examples: readonly Example[];
  drawings: readonly DrawnExample[];
  captions: readonly string[];
  metrics: readonly MetricsRecord[];
}

export async function writeReport(path: string, data: ReportData): Promise<void> {
  await writeFile(path, page(data));
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c1e21; --dim: #6b7280; --line: #d9dce1; --paper: #fff; --bad: #c0392b; --good: #1e8449; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --dim: #9aa0a6; --line: #3c4043; --paper: #17181a; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; } .figures b { display: block; font-size: 1.5rem; } .figures span { color: var(--dim); font-size: .85rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); gap: .8rem; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: .6rem; font-size: .85rem; }
.card div { display: flex; gap: .5rem; } .card img { width: 72px; height: 72px; image-rendering: pixelated; border-radius: 4px; }
.wrong { color: var(--bad); } .right { color: var(--good); } .dim { color: var(--dim); }
pre { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; padding: .8rem; font-size: .8rem; }
svg text { fill: var(--dim); font-size: 11px; } svg .frame { stroke: var(--line); fill: none; }`;

function page({ result, config, examples, drawings, captions, metrics }: ReportData): string {
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const figures: [string, string][] = [
    [percent(result.imageRetrieval), 'of drawings nearest to their own image'],
    [percent(result.captionAccuracy), 'of captions exactly right'],
    [formatSeconds(result.trainSeconds), `to train ${result.steps} steps`],
    [`${Math.round(result.tokensPerSecond).toLocaleString('en')}`, 'tokens per second'],
    [result.gflopPerSecond.toFixed(1), 'GFLOP per second'],
    [`${(result.parameters / 1e6).toFixed(2)} M`, 'parameters'],
  ];
  const cards = examples.map((example, i) => card(example, drawings[i], i, captions[i]));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Transfusion demo</title><style>${STYLE}</style></head><body>
<h1>Transfusion: one transformer that writes and draws</h1>
<p>Trained on ${examples.length} captioned emoji, from scratch, with one loss: ${describeLoss(config)}. Backend: ${escapeHtml(result.backend)}.</p>
<div class="figures">${figures.map(([value, label]) => `<div><b>${value}</b><span>${label}</span></div>`).join('')}</div>
<h2>Loss</h2>
${lossChart(metrics, [
  { key: 'language', label: 'text: cross-entropy per token', colour: '#2e86de' },
  imageCurve(config),
])}
<p class="dim">The text loss has a floor above zero: in a document that begins with its caption, nothing tells which of the ${examples.length} comes.</p>
<h2>Drawings and captions</h2>
<p class="dim">Left: the training image. Right: what the model draws when given the caption. Below: what it writes when given the image.</p>
<div class="grid">${cards.join('')}</div>
<h2>Configuration</h2>
<pre>${escapeHtml(JSON.stringify(config, null, 2))}</pre>
<p class="dim">Emoji graphics: Twitter emoji (Twemoji), © Twitter and contributors, CC-BY 4.0, by npm <code>emoji-datasource-twitter</code>; captions: <code>emojibase-data</code>, MIT.</p>
</body></html>
`;
}

/** Whether images are tokens of the sequence, and no noise is predicted. */
const hasTokens = ({ model }: RunConfig) => model.images === 'tokens';

/** What the model predicts of a noised image. */
const PREDICTED = {
  epsilon: 'noise',
  sample: 'image',
  v: 'v, which is noise and image',
  flow: 'way from noise to image',
};

function describeLoss(config: RunConfig): string {
  if (hasTokens(config)) return 'next-token cross-entropy, over the tokens of texts and of images';
  return `next-token cross-entropy plus ${config.lambda} times the\nmean squared error of the predicted ${PREDICTED[config.diffusion.parameterisation]}`;
}

function imageCurve(config: RunConfig) {
  const colour = '#e67e22';
  if (hasTokens(config)) return { key: 'codes', label: 'image: cross-entropy per token', colour };
  return {
    key: 'diffusion',
    label: `image: squared error of the ${PREDICTED[config.diffusion.parameterisation]}`,
    colour,
  };
}

function card(example: Example, drawn: DrawnExample, index: number, written: string): string {
  const { caption = '' } = example;
  const image = imageOf(example);
  const isWritten = written === caption;
  const isDrawn = drawn.nearest === index;
  return `<div class="card"><div>${picture(image, caption)}${picture(drawn.image, `drawn: ${caption}`)}</div>
<b>${escapeHtml(caption)}</b> <span class="${isDrawn ? 'right' : 'wrong'}">${isDrawn ? '✓' : '✗'}</span><br>
<span class="${isWritten ? 'right' : 'wrong'}">${escapeHtml(written) || '(nothing)'}</span></div>`;
}

function picture(image: RgbImage, alt: string): string {
  const data = Buffer.from(encodePng(image)).toString('base64');
  return `<img src="data:image/png;base64,${data}" alt="${escapeHtml(alt)}">`;
}

/** What HTML has no room for, and an untrained model writes: control characters, unpaired surrogates, noncharacters. */
const NO_TEXT = /(?![\n\t])[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/gu;

function escapeHtml(text: string): string {
  const shown = text.replace(NO_TEXT, '\uFFFD');
  return shown.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
