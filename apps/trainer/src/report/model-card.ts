/** @file A model card: Hugging Face's metadata, and what somebody who finds the model wants to know of it. */
import { countParameters } from '@transfusion/nn';
import { imageLayout, imageSizes, type PipelineConfig } from '@transfusion/sampler';
import { feedForwardWidth, transfusionSpec } from '@transfusion/transformer';
import type { ModelCard } from './card-facts.js';
import { cardMetadata } from './card-metadata.js';
import { type DataSource, dataSources, typicalPrompt } from './data-sources.js';
import { frontMatter } from './front-matter.js';
import { modelUsage } from './model-usage.js';

/** Markdown. */
export function modelCard(card: ModelCard): string {
  const sections: [string, string[]][] = [
    ['Use', modelUsage(card.name, card.model, typicalPrompt(card.run.config))],
    ['Data', data(card)],
    ['Training', training(card)],
    ['Scores', scores(card)],
    ['Limits', [list(limits(card))]],
  ];
  const body = sections.flatMap(([title, parts]) => (parts.length > 0 ? [`## ${title}`, ...parts] : []));
  return `${frontMatter(cardMetadata(card))}\n${[`# ${card.name}`, ...introduction(card), ...body].join('\n\n')}\n`;
}

function introduction({ model: config, codecParameters, picture, name }: ModelCard): string[] {
  const { model } = config;
  const millions = (count: number) => `${(count / 1e6).toFixed(2)} M`;
  const what =
    model.images === 'none'
      ? 'a language model'
      : `one transformer that predicts the next token of text and ${model.images === 'tokens' ? 'of images' : 'denoises images'}`;
  const size = `${millions(countParameters(transfusionSpec(model)))} parameters: ${model.layers} layers, ${model.channels} channels, ${model.heads} heads, feed-forward ${feedForwardWidth(model)}; ${model.vocabularySize.toLocaleString('en')} ids, a context of ${model.maxPositions} positions.`;
  return [
    ...(picture === undefined ? [] : [`![drawings of ${name}](${encodeURI(picture)})`]),
    `Transfusion ([arXiv 2408.11039](https://arxiv.org/abs/2408.11039)) in TypeScript, on WebGPU and WebAssembly: ${what}. ${size}`,
    ...(model.images === 'none' ? [] : [describeImages(config, codecParameters, millions)]),
  ];
}

function describeImages(config: PipelineConfig, codecParameters: number, millions: (count: number) => string): string {
  const { codec, model, diffusion, sampling } = config;
  const { width, height, latent, patches } = imageLayout(config);
  const sizes = imageSizes(config.image).map((size) => `${size.width} × ${size.height}`);
  const kind =
    codec.kind === 'pixels' ? 'pixels' : `latents of ${latent.height} × ${latent.width} × ${latent.channels}`;
  const through =
    codecParameters > 0 ? `, of an autoencoder with ${millions(codecParameters)} parameters that is in \`vae/\`` : '';
  if (model.images === 'tokens') return `Images: ${sizes.join(', ')} pixels, as ${patches} tokens${through}.`;
  const drawn = `Drawn with ${sampling.scheduler}, ${sampling.steps} steps, guidance ${sampling.guidance} unless told otherwise; it predicts ${diffusion.parameterisation} on the ${diffusion.schedule} schedule.`;
  return `Images: ${sizes.join(', ')} pixels; ${width} × ${height} as ${patches} patches of ${kind}${through}. ${drawn}`;
}

function data({ run, sources, license }: ModelCard): string[] {
  const known = dataSources(run.config);
  const counts = [
    ...(run.pictures ? [`${run.pictures.toLocaleString('en')} pictures`] : []),
    ...(run.texts ? [`${run.texts.toLocaleString('en')} plain texts`] : []),
    ...(run.documents ? [`${run.documents.toLocaleString('en')} documents`] : []),
  ];
  const heldOut = `${(100 * run.config.data.heldOutFraction).toFixed(0)} % of them held out`;
  return [
    ...(counts.length > 0 ? [`Learned from ${counts.join(', ')}, ${heldOut}.`] : []),
    list([...known.map(describeSource), ...sources]),
    `The weights are under ${license}. What they learned from keeps its own licences, as above.`,
  ].filter((part) => part !== '');
}

function describeSource({ name, url, licence, from }: DataSource): string {
  const linked = url === undefined ? name : `[${name}](${url})`;
  return `${linked}: ${licence}${from === undefined ? '' : ` (npm: ${from})`}`;
}

function training({ run, command, notes }: ModelCard): string[] {
  const { config, step, trainSeconds } = run;
  const hours =
    trainSeconds < 5400 ? `${(trainSeconds / 60).toFixed(0)} minutes` : `${(trainSeconds / 3600).toFixed(1)} hours`;
  const from = config.finetune === null ? '' : `, from the weights of \`${config.finetune}\``;
  const facts = `${step.toLocaleString('en')} steps of ${config.batch.rows} rows${from}; seed ${config.seed}; ${Math.round(trainSeconds).toLocaleString('en')} s of training, ${hours}. The weights are their moving average (decay ${config.ema.decay}). \`training.json\` beside them has the whole configuration.`;
  return [
    ...(notes.length > 0 ? [list(notes)] : []),
    facts,
    ...(command === undefined ? [] : ['```\n' + command + '\n```']),
  ];
}

function scores({ scores }: ModelCard): string[] {
  if (scores.length === 0) return [];
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const header = ['measure', 'of', 'value', 'beside'];
  const rows = scores.map((score) => [
    cell(score.name) + (score.better === undefined ? '' : score.better === 'higher' ? ' ↑' : ' ↓'),
    cell(`${score.dataset}, ${score.split}${score.count === undefined ? '' : `, ${score.count.toLocaleString('en')}`}`),
    `**${withUnit(score.value, score.unit)}**`,
    score.beside.map(({ name, value }) => `${cell(name)}: ${withUnit(value, score.unit)}`).join('; '),
  ]);
  return [[row(header), row(header.map(() => '---')), ...rows.map(row)].join('\n')];
}

/** Four digits tell what there is to tell. */
function withUnit(value: number, unit: string | undefined): string {
  const digits = Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
  return unit === undefined ? digits : `${digits} ${cell(unit)}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function limits({ model: { model, image, trainedOn }, run, limits }: ModelCard): string[] {
  const { dataset } = run.config.data;
  const sizes = imageSizes(image)
    .map((size) => `${size.width} × ${size.height}`)
    .join(', ');
  const isEmoji = dataset.startsWith('emoji');
  return [
    ...(model.images === 'none' ? [] : [`It draws ${sizes} pixels, nothing larger.`]),
    ...(isEmoji ? ['It knows emoji and their English names: what is no emoji it draws as one, or not at all.'] : []),
    ...(trainedOn?.captions === false ? ['It has seen no captions: it draws whatever a text says.'] : []),
    'It was made to study how such models are trained. It is no source of facts, and nothing filters what it writes.',
    ...limits,
  ];
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}
