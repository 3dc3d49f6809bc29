/** @file Unicode's normalization forms and lower case, as the native library has them. */
import { characterRegex } from '../unicode/character-class.js';
import { NEWER_FORMS } from '../unicode/native-tables.js';

const known = characterRegex(NEWER_FORMS, { outside: true });
const ascii = /^\p{ASCII}*$/u;

/** A character newer than the native tables is a starter that composes with nothing: the text is normalized around it. */
export function normalizationForm(form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): (text: string) => string {
  return (text) => (ascii.test(text) ? text : text.replace(known, (part) => part.normalize(form)));
}

/** Character by character: a sigma at the end of a word is one like any other. */
export function lowercase(text: string): string {
  return text.replaceAll('\u03a3', '\u03c3').toLowerCase();
}
