/** @file The whole of an attention map as a picture: a row for each position, a column for what it looks at. */
import type { RgbImage } from '@transfusion/data';
import type { AttentionMaps, SequencePlace } from '@transfusion/evaluation';
import { escapeHtml, pngUrl } from './html.js';

/** Dark to bright, evenly spaced: viridis. */
export const COLOURS = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
] as const;

const [LEFT, TOP, RIGHT, SIDE] = [92, 76, 60, 600];
/** Height of a label's line. */
const READABLE = 10;

/** SVG of a map with the sequence along both sides; `current` is marked. */
export function attentionMatrix(maps: AttentionMaps, weights: Float64Array, current: number): string {
  const T = maps.places.length;
  const cell = Math.min(24, Math.max(1, SIDE / T));
  const size = cell * T;
  const at = (position: number) => (position * cell).toFixed(1);
  const labels = labelsOf(maps, cell >= READABLE).filter(({ begin, end }) => (end - begin) * cell >= READABLE);
  const bands = labels.flatMap(({ begin, end, text }) => {
    const middle = (((begin + end) / 2) * cell + 3.5).toFixed(1);
    const label = escapeHtml(text.length > 14 ? `${text.slice(0, 13)}…` : text);
    const line =
      end - begin > 1
        ? `<path class="attention-band" d="M-5 ${at(begin)}V${at(end)}M${at(begin)} -5H${at(end)}"/>`
        : '';
    return [
      line,
      `<text x="-9" y="${middle}" text-anchor="end">${label}</text>`,
      `<text transform="translate(${middle} -9) rotate(-50)">${label}</text>`,
    ];
  });
  return `<svg class="attention-matrix" viewBox="${-LEFT} ${-TOP} ${LEFT + size + RIGHT} ${TOP + size + 4}" style="max-width: ${LEFT + size + RIGHT}px" role="img" aria-label="attention: rows look at columns">
<image href="${pngUrl(matrixImage(weights))}" width="${size}" height="${size}" preserveAspectRatio="none"/>
<path class="attention-unseen" d="${unseen(weights, cell)}"/>
<rect class="frame" width="${size}" height="${size}"/>${bands.join('')}
<rect class="attention-row" x="-1" y="${at(current)}" width="${size + 2}" height="${cell.toFixed(1)}"/></svg>`;
}

/** What stands along the sides: images as wholes, and tokens by themselves, or where these are too small texts as wholes. */
function labelsOf({ places, images }: AttentionMaps, eachToken: boolean) {
  const labels: { begin: number; end: number; text: string; image?: number }[] = [];
  places.forEach((place, at) => {
    const last = labels.at(-1);
    const image = place.kind === 'patch' ? place.image : undefined;
    const isOfLast = last !== undefined && last.image === image && (image !== undefined || !eachToken);
    if (isOfLast) last.end++;
    if (place.kind === 'token' && isOfLast && !place.isControl) last.text = `${last.text}${place.text}`.trimStart();
    if (isOfLast) return;
    const numbered = images.length > 1 && place.kind === 'patch' ? ` ${images[place.image].index + 1}` : '';
    const ofToken = (token: Extract<SequencePlace, { kind: 'token' }>) => {
      return eachToken ? shownToken(token) : token.isControl ? '' : token.text.trimStart();
    };
    const text = place.kind === 'token' ? ofToken(place) : `picture${numbered}`;
    labels.push({ begin: at, end: at + 1, text, image });
  });
  return labels;
}

/** A token as a person reads it: control tokens by name, what is only space as a sign. */
export function shownToken(place: Extract<SequencePlace, { kind: 'token' }>): string {
  const [, name] = /^<\|(.+)\|>$/.exec(place.text) ?? [];
  if (place.isControl) return name?.toUpperCase() ?? place.text;
  return place.text.trim() || (place.text === '' ? '∅' : '␣');
}

/** Each row by its own strongest; its square root, so that weak ones show. */
function matrixImage(weights: Float64Array): RgbImage {
  const T = Math.sqrt(weights.length);
  const data = new Float32Array(3 * weights.length);
  for (let i = 0; i < T; i++) {
    const row = weights.subarray(i * T, (i + 1) * T);
    const most = Math.max(...row);
    row.forEach((weight, j) => {
      const place = Math.sqrt(weight / most) * (COLOURS.length - 1);
      const from = Math.min(Math.floor(place), COLOURS.length - 2);
      for (let c = 0; c < 3; c++) {
        const colour = COLOURS[from][c] + (place - from) * (COLOURS[from + 1][c] - COLOURS[from][c]);
        data[3 * (i * T + j) + c] = colour / 127.5 - 1;
      }
    });
  }
  return { width: T, height: T, data };
}

/** What each row does not see, as a path. */
function unseen(weights: Float64Array, cell: number): string {
  const T = Math.sqrt(weights.length);
  const runs: string[] = [];
  for (let i = 0; i < T; i++) {
    for (let j = 0; j < T; ) {
      let end = j;
      while (end < T && weights[i * T + end] === 0) end++;
      const [x, y, width, height] = [j, i, end - j, 1].map((each) => Number((each * cell).toFixed(3)));
      if (end > j) runs.push(`M${x} ${y}h${width}v${height}H${x}z`);
      j = Math.max(end, j + 1);
    }
  }
  return runs.join('');
}
