/** @file Added tokens: found in a text before anything else looks at it. */
import type { Normalizer } from './normalizers/create-normalizer.js';
import type { AddedToken } from './tokenizer-json.js';
import { spaceEnd, spaceStart } from './unicode/white-space.js';
import type { Place } from './unsupported.js';

/** A piece of a text: an added token, or text that is still to be tokenized. */
export type Section = { id: number } | { text: string; isFirst: boolean };

interface Pattern {
  content: string;
  token: AddedToken;
}

/** A word by the Unicode definition of Rust's regular expressions. */
const wordAtEnd = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]$/u;
const wordAtStart = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]/u;

function isInsideWord(text: string, start: number, end: number): boolean {
  return wordAtEnd.test(text.slice(Math.max(0, start - 2), start)) || wordAtStart.test(text.slice(end, end + 2));
}

export class AddedTokens {
  /** Found in the text as it is, before its normalization. */
  readonly #raw: Patterns;
  /** Found, normalized themselves, in the normalized text. */
  readonly #normalized: Patterns;
  readonly #normalizer: Normalizer;

  /**
   * @param tokens those that text may turn into
   * @throws TokenizerError TOKENIZER_UNSUPPORTED
   */
  constructor(tokens: readonly AddedToken[], normalizer: Normalizer, place: Place) {
    this.#normalizer = normalizer;
    const patterns = (isNormalized: boolean) => tokens.filter((token) => token.normalized === isNormalized);
    this.#raw = new Patterns(patterns(false).map((token) => ({ token, content: token.content })));
    const normalized = patterns(true).map((token) => ({ token, content: normalizer(token.content) }));
    this.#normalized = new Patterns(normalized);
    const seen = new Map<string, string>([['', 'nothing']]);
    for (const { token, content } of normalized) {
      const same = seen.get(content);
      if (same !== undefined) {
        throw place.unsupported(
          `${JSON.stringify(token.content)}, normalized, is the same as ${same}`,
          'make its "normalized" false',
        );
      }
      seen.set(content, JSON.stringify(token.content));
    }
  }

  /** Added tokens, and what lies between them, normalized. */
  split(text: string): Section[] {
    return this.#raw.split(text, true).flatMap((section) => {
      if ('id' in section) return [section];
      return this.#normalized.split(this.#normalizer(section.text), section.isFirst);
    });
  }
}

class Patterns {
  /** By their first character, longest first: of patterns that begin at one place the longest counts. */
  readonly #byFirst = new Map<number, Pattern[]>();

  constructor(patterns: Pattern[]) {
    for (const pattern of patterns) {
      const first = pattern.content.charCodeAt(0);
      this.#byFirst.set(first, [...(this.#byFirst.get(first) ?? []), pattern]);
    }
    for (const list of this.#byFirst.values()) list.sort((a, b) => b.content.length - a.content.length);
  }

  split(text: string, isFirst: boolean): Section[] {
    const sections: Section[] = [];
    let end = 0;
    const addText = (until: number) => {
      if (end < until) sections.push({ text: text.slice(end, until), isFirst: isFirst && end === 0 });
    };
    for (const match of this.#matches(text)) {
      addText(Math.max(match.start, end));
      sections.push({ id: match.token.id });
      end = match.end;
    }
    addText(text.length);
    return sections;
  }

  *#matches(text: string): Generator<{ token: AddedToken; start: number; end: number }> {
    if (this.#byFirst.size === 0) return;
    let previousEnd = 0;
    for (let index = 0; index < text.length; ) {
      const found = this.#byFirst.get(text.charCodeAt(index))?.find(({ content }) => text.startsWith(content, index));
      const begin = index;
      index += found?.content.length ?? 1;
      if (!found) continue;
      const { token } = found;
      if (token.single_word && isInsideWord(text, begin, index)) continue;
      const start = token.lstrip ? Math.max(spaceStart(text, begin), previousEnd) : begin;
      previousEnd = token.rstrip ? spaceEnd(text, index) : index;
      // One that consists of space may have gone to the token before.
      if (start < previousEnd) yield { token, start, end: previousEnd };
    }
  }
}
