/** @file Where a pattern matches, by Oniguruma's rule for empty matches. */

/** A piece of a text; the spans of a text cover it. */
export interface Span {
  start: number;
  end: number;
  isMatch: boolean;
}

export type Matcher = (text: string) => Span[];

/** An empty match right behind another match does not count, nor does one in an empty text. */
export function regexMatcher(regex: RegExp): Matcher {
  return (text) => {
    const spans: Span[] = [];
    let previousEnd = 0;
    let isBehindMatch = false;
    if (text === '') return spans;
    regex.lastIndex = 0;
    for (let match = regex.exec(text); match; match = regex.exec(text)) {
      const start = match.index;
      const end = regex.lastIndex;
      // V8 looks for a pattern that begins with a lookbehind inside of surrogate pairs, too.
      if (start > 0 && text.codePointAt(start - 1)! > 0xffff) {
        regex.lastIndex = start + 1;
        continue;
      }
      if (start === end) {
        regex.lastIndex += text.codePointAt(start)! > 0xffff ? 2 : 1;
        if (isBehindMatch && start === previousEnd) continue;
      }
      if (previousEnd < start) spans.push({ start: previousEnd, end: start, isMatch: false });
      spans.push({ start, end, isMatch: true });
      previousEnd = end;
      isBehindMatch = true;
    }
    if (previousEnd < text.length) spans.push({ start: previousEnd, end: text.length, isMatch: false });
    return spans;
  };
}

/** @param literal not empty */
export function literalMatcher(literal: string): Matcher {
  return (text) => {
    const spans: Span[] = [];
    let previousEnd = 0;
    for (let start = text.indexOf(literal); start >= 0; start = text.indexOf(literal, previousEnd)) {
      if (previousEnd < start) spans.push({ start: previousEnd, end: start, isMatch: false });
      previousEnd = start + literal.length;
      spans.push({ start, end: previousEnd, isMatch: true });
    }
    if (previousEnd < text.length) spans.push({ start: previousEnd, end: text.length, isMatch: false });
    return spans;
  };
}
