/** @file A section of a page that shows attention: what the model looks at as it writes about a picture, and as it draws one. */
import type { RgbImage } from '@transfusion/data';
import { type AttentionMaps, meanOfHeads, type SequencePlace } from '@transfusion/evaluation';
import { attentionMatrix, COLOURS, shownToken } from './attention-matrix.js';
import { ATTENTION_SCRIPT, ATTENTION_STYLE } from './attention-script.js';
import { type WordAttention, wordLight, wordsOf } from './attention-words.js';
import { escapeHtml, jsonForScript, pngUrl } from './html.js';

/** A document that is looked into. */
export interface AttentionDocument {
  /** In plain words, as "Describing a red heart". */
  title: string;
  maps: AttentionMaps;
  /** Pictures of the document's images, in their order: as they are, or as the model sees them. */
  pictures: readonly RgbImage[];
}

/**
 * Documents with the attention of their layers and heads: per word its picture, lit where the two meet; the sequence, each of
 * whose positions shows where it looks; the whole map. Stands alone: style and script are within, nothing is asked of a network,
 * and without script the last layer is shown. A map takes about 4/3 T^2 bytes of the page.
 */
export function attentionSection(documents: readonly AttentionDocument[]): string {
  if (documents.length === 0) return '';
  return `<section class="attention"><style>${ATTENTION_STYLE}</style>
<h2>Where the model looks</h2>
${documents.map(article).join('\n')}
<script>${ATTENTION_SCRIPT}</script></section>`;
}

function article({ title, maps, pictures }: AttentionDocument): string {
  const { places, layers } = maps;
  const { heads } = layers[layers.length - 1];
  const weights = meanOfHeads(heads);
  const words = wordsOf(maps);
  const current = startOf(maps, words);
  const urls = pictures.map(pngUrl);
  const kinds = new Set(words.map(({ kind }) => kind));
  const shown = [...new Set(words.map(({ image }) => image))];
  const cards = [
    ...shown.map(
      (image) =>
        `<figure class="attention-plain">${picture(maps, image, urls)}<figcaption>the picture</figcaption></figure>`,
    ),
    ...words.map((word) => card(word, maps, weights, urls)),
  ];
  const headNames = [...new Set(layers.flatMap(({ heads }) => heads.map(({ head }) => head)))];
  const data = {
    layers: layers.map(({ heads }) => heads.map(({ weights }) => encodeWeights(weights))),
    names: places.map((_, at) => nameOf(places, at)),
    images: places.map((place) => (place.kind === 'patch' ? place.image : -1)),
    columns: maps.images.map(({ columns }) => columns),
    colours: COLOURS,
  };
  return `<article class="attention-document"><h3>${escapeHtml(title)}</h3>
<p class="attention-choice"><label>Layer <select class="attention-layer">${layers
    .map(({ layer }, i) => `<option value="${i}"${i === layers.length - 1 ? ' selected' : ''}>${layer + 1}</option>`)
    .join('')}</select></label>
<label>Heads <select class="attention-head"><option value="-1" selected>mean of all</option>${headNames
    .map((head, i) => `<option value="${i}">${head + 1}</option>`)
    .join('')}</select></label></p>
${cards.length > 0 ? `<p class="dim">${[...kinds].map((kind) => MEANING[kind]).join(' ')}</p><div class="attention-words">${cards.join('')}</div>` : ''}
<p class="dim">The sequence, position by position. Point at one, or come here with Tab and use the arrow keys: what it looks at is marked.</p>
<div class="attention-sequence" tabindex="0" role="group" aria-label="the sequence; arrow keys go from position to position">${sequence(maps, weights, current, urls)}</div>
<p class="attention-told" aria-live="polite">${escapeHtml(told(maps, weights, current))}</p>
<p class="dim">All of it: each row is a position, and is bright where that looks, by its own strongest. What a position cannot see is left blank.</p>
${attentionMatrix(maps, weights, current)}
<script type="application/json" class="attention-data">${jsonForScript(data)}</script></article>`;
}

const MEANING = {
  writes:
    'Lit: where the model looks in the picture as it is about to write each word. The number is how much of its attention the picture has; the rest is on the text before.',
  draws:
    'Lit: which parts of the picture look at each word as it is drawn. The number is how much of the attention of all its parts the word has.',
};

function card(word: WordAttention, maps: AttentionMaps, weights: Float64Array, urls: readonly string[]): string {
  const patches = patchesOf(maps, word.image);
  const { light, share } = wordLight(word, patches, weights);
  const inside = picture(maps, word.image, urls, (patch) => light[patch]);
  return `<figure class="attention-word" data-kind="${word.kind}" data-at="${word.at.join(',')}">${inside}<figcaption><b>${escapeHtml(word.word)}</b> <span>${percent(share)}</span></figcaption></figure>`;
}

/** An image; where light is given in the dark, its patches lit from 0 to 1. */
function picture(
  { places, images }: AttentionMaps,
  image: number,
  urls: readonly string[],
  lightOf?: (patch: number) => number,
  current = -1,
): string {
  const { rows, columns, index } = images[image];
  let patch = 0;
  const shades = places.flatMap((place, at) => {
    if (!lightOf || place.kind !== 'patch' || place.image !== image) return [];
    const mark = at === current ? ' class="attention-current"' : '';
    const dark = shade(lightOf(patch++));
    return `<rect data-at="${at}"${mark} x="${place.column}" y="${place.row}" width="1" height="1" fill-opacity="${dark}"/>`;
  });
  const shown = urls[index]
    ? `<image href="${urls[index]}" width="${columns}" height="${rows}" preserveAspectRatio="none"/>`
    : '';
  return `<svg class="attention-picture" viewBox="0 0 ${columns} ${rows}" role="img" aria-label="picture ${index + 1}${lightOf ? ', lit where attention is' : ''}">${shown}${shades.join('')}</svg>`;
}

function shade(light: number): string {
  return (0.88 * (1 - Math.sqrt(light))).toFixed(2);
}

function sequence(maps: AttentionMaps, weights: Float64Array, current: number, urls: readonly string[]): string {
  const { places } = maps;
  const T = places.length;
  const row = weights.subarray(current * T, (current + 1) * T);
  return places
    .map((place, at) => {
      if (place.kind === 'token') {
        const classes = [
          'attention-token',
          ...(place.isControl ? ['control'] : []),
          ...(at === current ? ['attention-current'] : []),
        ];
        return `<span class="${classes.join(' ')}" data-at="${at}" style="--weight: ${Math.sqrt(row[at]).toFixed(3)}">${escapeHtml(shownToken(place))}<small>${row[at] > 0 ? percent(row[at]) : ''}</small></span>`;
      }
      if (places.findIndex((each) => each.kind === 'patch' && each.image === place.image) !== at) return '';
      const patches = patchesOf(maps, place.image);
      const most = Math.max(...patches.map((each) => row[each]));
      return picture(maps, place.image, urls, (patch) => (most > 0 ? row[patches[patch]] / most : 0), current);
    })
    .join('');
}

function told({ places }: AttentionMaps, weights: Float64Array, current: number): string {
  const T = places.length;
  const row = weights.subarray(current * T, (current + 1) * T);
  const share = places.reduce((sum, { kind }, at) => sum + (kind === 'patch' ? row[at] : 0), 0);
  return `${nameOf(places, current)} looks with ${percent(share)} at patches, with ${percent(1 - share)} at text.`;
}

/** The first word that is written, the first patch that is drawn, or the last position. */
function startOf({ places }: AttentionMaps, words: readonly WordAttention[]): number {
  const written = words.find(({ kind }) => kind === 'writes');
  if (written) return written.at[0];
  const patch = places.findIndex(({ kind }) => kind === 'patch');
  return patch >= 0 ? patch : places.length - 1;
}

/** A position, and what the model is to write there. */
function nameOf(places: readonly SequencePlace[], at: number): string {
  const [place, next] = [places[at], places[at + 1]];
  if (place.kind === 'patch') return `Patch in row ${place.row + 1}, column ${place.column + 1}`;
  const quoted = (token: typeof place) => (token.isControl ? shownToken(token) : `“${shownToken(token)}”`);
  return next?.kind === 'token' ? `${quoted(place)}, about to write ${quoted(next)},` : quoted(place);
}

/** Positions of an image's patches, in the order of the sequence. */
function patchesOf({ places }: AttentionMaps, image: number): number[] {
  return places.flatMap((place, at) => (place.kind === 'patch' && place.image === image ? [at] : []));
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

/** A byte for each weight, 255 times its square root; 1 at least for what is seen. */
export function encodeWeights(weights: Float64Array): string {
  const bytes = Uint8Array.from(weights, (weight) =>
    weight > 0 ? Math.max(1, Math.round(255 * Math.sqrt(weight))) : 0,
  );
  return Buffer.from(bytes).toString('base64');
}
