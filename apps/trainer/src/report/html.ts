/** @file What pages are made of: texts that stay texts, pictures without a file. */
import { encodePng, type RgbImage } from '@transfusion/data';

/** What HTML has no room for, and an untrained model writes: control characters, unpaired surrogates, noncharacters. */
const NO_TEXT = /(?![\n\t])[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/gu;

/** As text, or as an attribute in quotes. */
export function escapeHtml(text: string): string {
  const shown = text.replace(NO_TEXT, '\uFFFD');
  return shown.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Data in a script element: no text in it ends the element. */
export function jsonForScript(data: unknown): string {
  return JSON.stringify(data).replace(
    /[<\u2028\u2029]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A picture as an address. */
export function pngUrl(image: RgbImage): string {
  return `data:image/png;base64,${Buffer.from(encodePng(image)).toString('base64')}`;
}
