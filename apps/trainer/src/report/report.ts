/** @file `report.html`: a page that stands alone, for people who would rather look than read. */
import { writeFile } from 'node:fs/promises';
import { formatSeconds } from '@transfusion/app-common';
import type { MetricsRecord } from '@transfusion/checkpoint/node';
import { imageOf, type RgbImage } from '@transfusion/data';
import type { DrawnExample, Example } from '@transfusion/training';
import type { RunConfig } from '../config/run-config.js';
import type { DemoResult } from './demo-summary.js';
import { escapeHtml, pngUrl } from './html.js';
import { lossChart } from './loss-chart.js';
import { PAGE_STYLE } from './page-style.js';

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
<title>Transfusion demo</title><style>${PAGE_STYLE}</style></head><body>
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
export const PREDICTED = {
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
  return `<img src="${pngUrl(image)}" alt="${escapeHtml(alt)}">`;
}
