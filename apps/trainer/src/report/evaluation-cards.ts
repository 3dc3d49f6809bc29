/** @file Sections of an evaluation's page: pictures with what was drawn, written or made of them. */
import type { RgbImage } from '@transfusion/data';
import { escapeHtml, pngUrl } from './html.js';

export interface SectionGroup {
  /** Such as a split; default: none. */
  title?: string;
  html: string;
}

export function section(title: string, text: string, groups: readonly SectionGroup[]): string {
  const shown = groups.map(({ title, html }) => `${title === undefined ? '' : `<h3>${escapeHtml(title)}</h3>`}${html}`);
  return `<section><h2>${escapeHtml(title)}</h2>\n<p class="dim">${escapeHtml(text)}</p>\n${shown.join('\n')}</section>`;
}

export interface ShownCaption {
  image: RgbImage;
  /** The right one. */
  caption: string;
  written: string;
  isRight: boolean;
  /** Whether all but the words of its style is right. */
  isNameRight: boolean;
}

export function captionCards(captions: readonly ShownCaption[]): string {
  return grid(
    captions.map(({ image, caption, written, isRight, isNameRight }) => {
      const mark = isRight ? '✓' : isNameRight ? '≈' : '✗';
      const judged = `<span class="${isRight || isNameRight ? 'right' : 'wrong'}">${mark} ${escapeHtml(written) || '(nothing)'}</span>`;
      const asked = isRight ? '' : `<br><span class="dim">${escapeHtml(caption)}</span>`;
      return `<div>${picture(image, caption)}</div>${judged}${asked}`;
    }),
  );
}

export interface ShownDrawing {
  real: RgbImage;
  drawn: RgbImage;
  caption: string;
  /** Of the real one among those nearest to the drawing, from 1. */
  rank: number;
}

export function drawingCards(drawings: readonly ShownDrawing[]): string {
  return grid(
    drawings.map(({ real, drawn, caption, rank }) => {
      const kind = rank === 1 ? 'right' : rank <= 5 ? '' : 'wrong';
      const place = rank === 1 ? '✓ nearest' : `${rank}${ordinal(rank)} nearest`;
      return `<div>${picture(real, caption)}${picture(drawn, `drawn: ${caption}`)}</div>
<b>${escapeHtml(caption)}</b><br><span class="${kind}">${place}</span>`;
    }),
  );
}

export function promptCards(prompts: readonly { prompt: string; drawn: RgbImage }[]): string {
  return grid(prompts.map(({ prompt, drawn }) => `<div>${picture(drawn, prompt)}</div>${escapeHtml(prompt)}`));
}

export interface ShownAsked {
  given: RgbImage;
  drawn: RgbImage;
  result: RgbImage;
  instruction: string;
  isRight: boolean;
}

export function editCards(edits: readonly ShownAsked[]): string {
  return grid(
    edits.map(({ given, drawn, result, instruction, isRight }) => {
      const pictures = [picture(given, 'given'), picture(drawn, `drawn: ${instruction}`), picture(result, 'asked for')];
      return `<div>${pictures.join('')}</div>
<b>${escapeHtml(instruction)}</b> <span class="${isRight ? 'right' : 'wrong'}">${isRight ? '✓' : '✗'}</span>`;
    }),
    'wide',
  );
}

function grid(cards: readonly string[], kind = ''): string {
  return `<div class="grid ${kind}">${cards.map((card) => `<div class="card">${card}</div>`).join('\n')}</div>`;
}

function picture(image: RgbImage, alt: string): string {
  return `<img src="${pngUrl(image)}" alt="${escapeHtml(alt)}">`;
}

function ordinal(rank: number): string {
  const [ten, one] = [Math.floor(rank / 10) % 10, rank % 10];
  return ten === 1 ? 'th' : (['th', 'st', 'nd', 'rd'][one] ?? 'th');
}
