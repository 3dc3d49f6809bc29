/** @file Cutting a text where something matches, and what becomes of the matches. */
import { z } from 'zod';
import type { Matcher, Span } from '../regex/matches.js';

export const behaviorSchema = z.enum(['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']);
export type SplitBehavior = z.output<typeof behaviorSchema>;

export type PreTokenizer = (text: string, isFirst: boolean) => string[];

export function splitter(matcher: Matcher, behavior: SplitBehavior): PreTokenizer {
  const apply = BEHAVIORS[behavior];
  return (text) => {
    const pieces: string[] = [];
    for (const { start, end } of apply(matcher(text))) {
      if (start < end) pieces.push(text.slice(start, end));
    }
    return pieces;
  };
}

/** Matches become what lies between, and the other way round. */
export function inverted(matcher: Matcher): Matcher {
  return (text) => matcher(text).map((span) => ({ ...span, isMatch: !span.isMatch }));
}

const BEHAVIORS: Record<SplitBehavior, (spans: Span[]) => Span[]> = {
  Removed: (spans) => spans.filter((span) => !span.isMatch),
  Isolated: (spans) => spans,
  Contiguous: (spans) => merged(spans, (span, previous) => span.isMatch === previous),
  // A match right behind another is not merged with it.
  MergedWithPrevious: (spans) => merged(spans, (span, previous) => span.isMatch && !previous),
  MergedWithNext: (spans) => mergedBackwards(spans),
};

/** @param joins whether a span goes on the one before; `previous`: whether that was a match, at first false */
function merged(spans: Span[], joins: (span: Span, previous: boolean) => boolean): Span[] {
  const result: Span[] = [];
  let previous = false;
  for (const span of spans) {
    const last = result.at(-1);
    if (last && joins(span, previous)) last.end = span.end;
    else result.push({ ...span });
    previous = span.isMatch;
  }
  return result;
}

function mergedBackwards(spans: Span[]): Span[] {
  const result: Span[] = [];
  let next = false;
  for (const span of [...spans].reverse()) {
    const last = result.at(-1);
    if (last && span.isMatch && !next) last.start = span.start;
    else result.push({ ...span });
    next = span.isMatch;
  }
  return result.reverse();
}
