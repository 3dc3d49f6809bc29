/** @file The syntax of patterns: alternatives, groups, quantifiers, anchors. */
import { complement } from '../unicode/character-class.js';
import { parseClass, parseProperty } from './class-parser.js';
import { caseVariants, literal, PatternProblem, PatternScanner } from './pattern-scanner.js';
import { ESCAPES, WORD } from './sets.js';

/** A part of a pattern in JavaScript's syntax. */
interface Term {
  source: string;
  matchesEmpty: boolean;
}

interface Flags {
  /** i */
  ignoreCase: boolean;
  /** m: a dot matches a newline too. */
  dotAll: boolean;
  /** x: space and comments do not count. */
  extended: boolean;
  isLookbehind: boolean;
}

const ANY = '\\p{Any}';
const NOT_NEWLINE = complement('\\n');
const ANCHORS: Record<string, string> = {
  A: `(?<!${ANY})`,
  z: `(?!${ANY})`,
  Z: `(?=\\n?(?!${ANY}))`,
  b: `(?:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD}))`,
  B: `(?:(?<=${WORD})(?=${WORD})|(?<!${WORD})(?!${WORD}))`,
};
/** A line begins behind a newline, but not at the end of the text. */
const LINE_START = `(?:(?<!${ANY})|(?<=\\n)(?=${ANY}))`;
const LINE_END = `(?!${NOT_NEWLINE})`;

/** Two letters that are one character in another case. */
const foldedPairs = /^(?:f[fil]|s[st])$/i;
const MAX_DEPTH = 64;

export class PatternParser {
  readonly #scanner: PatternScanner;
  #atomicGroups = 0;
  #depth = 0;

  constructor(pattern: string) {
    this.#scanner = new PatternScanner(pattern);
  }

  /** @throws PatternProblem */
  parse(): string {
    const flags = { ignoreCase: false, dotAll: false, extended: false, isLookbehind: false };
    const { source } = this.#alternatives(this.#inlineFlags(flags));
    if (!this.#scanner.isAtEnd) throw new PatternProblem('a parenthesis that closes nothing');
    return source;
  }

  /** Flags for the rest of the group; only at its beginning is it clear what they are for. */
  #inlineFlags(flags: Flags): Flags {
    const match = this.#scanner.takeMatch(/\(\?([imx]*)(?:-([imx]*))?\)/y);
    return match ? withFlags(flags, match[1], match[2]) : flags;
  }

  #alternatives(flags: Flags): Term {
    let source = '';
    let matchesEmpty = false;
    let isBranchEmpty = true;
    /** The letter before, where the next one could make one character of both. */
    let previous = '';
    while (!this.#scanner.isAtEnd && !this.#scanner.startsWith(')')) {
      if (this.#scanner.take('|')) {
        source += '|';
        matchesEmpty ||= isBranchEmpty;
        isBranchEmpty = true;
        previous = '';
        continue;
      }
      if (flags.extended && this.#scanner.takeMatch(/(?:\s|#[^\n]*)+/y)) continue;
      if (this.#scanner.takeMatch(/\(\?#[^)]*\)/y)) continue;
      const letter = flags.ignoreCase ? (this.#scanner.takeMatch(/[a-z]/iy)?.[0] ?? '') : '';
      if (foldedPairs.test(previous + letter)) throw new PatternProblem(`"${previous}${letter}" under (?i)`);
      previous = letter;
      const atom = letter ? consuming(`[${caseVariants(letter)}]`) : this.#atom(flags);
      const term = this.#quantified(atom, flags);
      source += term.source;
      isBranchEmpty &&= term.matchesEmpty;
    }
    return { source, matchesEmpty: matchesEmpty || isBranchEmpty };
  }

  #quantified(atom: Term, flags: Flags): Term {
    let result = atom;
    for (;;) {
      const match = this.#scanner.takeMatch(/([*+?])([?+]?)|\{(\d+)?(,?)(\d+)?\}(\??)/y);
      if (!match) return result;
      const [text, sign, suffix, least, comma, most, lazy] = match;
      // Engines differ in whether they look for something longer where a repetition matches nothing.
      if (result.matchesEmpty) throw new PatternProblem(`${text} behind what may match nothing`);
      const term = result === atom ? atom.source : `(?:${result.source})`;
      if (sign) {
        const source = suffix === '+' ? this.#atomic(`${term}${sign}`, flags) : `${term}${text}`;
        result = { source, matchesEmpty: sign !== '+' };
      } else {
        const minimum = Number(least ?? 0);
        const maximum = Number(most ?? minimum);
        const isUnbounded = least === undefined && most === undefined;
        if (isUnbounded || maximum > 1000 || minimum > maximum) throw new PatternProblem(`the quantifier ${text}`);
        // Of one number, a question mark makes the whole optional.
        const isOptional = lazy !== '' && comma === '';
        const repeated = `${term}{${minimum}${comma}${most ?? ''}}`;
        const source = isOptional ? `(?:${repeated})?` : `${repeated}${lazy}`;
        result = { source, matchesEmpty: isOptional || minimum === 0 };
      }
    }
  }

  /** JavaScript has no atomic groups; what a lookahead has captured is not given back. */
  #atomic(body: string, flags: Flags): string {
    if (flags.isLookbehind) throw new PatternProblem('an atomic group in a lookbehind');
    const name = `a${this.#atomicGroups++}`;
    return `(?:(?=(?<${name}>${body}))\\k<${name}>)`;
  }

  #atom(flags: Flags): Term {
    const scanner = this.#scanner;
    if (scanner.take('(')) return this.#group(flags);
    if (scanner.take('[')) return consuming(parseClass(scanner, flags));
    if (scanner.take('.')) return consuming(flags.dotAll ? ANY : NOT_NEWLINE);
    if (scanner.take('^')) return asserting(LINE_START);
    if (scanner.take('$')) return asserting(LINE_END);
    if (scanner.take('\\')) return this.#escape(flags);
    if (scanner.takeMatch(/[*+?]/y)) throw new PatternProblem('a quantifier of nothing');
    return consuming(character(scanner.next(), flags));
  }

  #escape(flags: Flags): Term {
    const scanner = this.#scanner;
    const property = parseProperty(scanner, flags);
    if (property) return consuming(property);
    const shorthand = scanner.takeMatch(/[wdsh]/iy)?.[0];
    if (shorthand) {
      const set = ESCAPES[shorthand.toLowerCase()];
      return consuming(shorthand === shorthand.toLowerCase() ? set : complement(set));
    }
    const anchor = scanner.takeMatch(/[AzZbB]/y)?.[0];
    if (anchor) return asserting(ANCHORS[anchor]);
    const escaped = scanner.escapedCharacter();
    if (escaped === undefined) throw new PatternProblem(`\\${scanner.next()}`);
    return consuming(character(escaped, flags));
  }

  #group(flags: Flags): Term {
    const scanner = this.#scanner;
    if (this.#depth > MAX_DEPTH) throw new PatternProblem('groups are nested too deeply');
    const opening = scanner.takeMatch(/\?(?:(<?[=!])|(>)|:|<[A-Za-z_]\w*>|([imx]*)(?:-([imx]*))?:)/y);
    if (!opening && scanner.startsWith('?')) {
      throw new PatternProblem(`(${scanner.takeMatch(/\?.?/y)?.[0]}`);
    }
    const [, look, atomic, on, off] = opening ?? [];
    const isLookbehind = flags.isLookbehind || look?.startsWith('<') === true;
    const inner = this.#inlineFlags(withFlags({ ...flags, isLookbehind }, on, off));
    this.#depth++;
    const { source, matchesEmpty } = this.#alternatives(inner);
    this.#depth--;
    if (!scanner.take(')')) throw new PatternProblem('a parenthesis that is not closed');
    if (look) return asserting(`(?${look}${source})`);
    return { source: atomic ? this.#atomic(source, flags) : `(?:${source})`, matchesEmpty };
  }
}

/** A part that matches some text. */
function consuming(source: string): Term {
  return { source, matchesEmpty: false };
}

/** A part that only looks. */
function asserting(source: string): Term {
  return { source, matchesEmpty: true };
}

function withFlags(flags: Flags, on = '', off = ''): Flags {
  const value = (flag: string, before: boolean) => !off.includes(flag) && (on.includes(flag) || before);
  return {
    ...flags,
    ignoreCase: value('i', flags.ignoreCase),
    dotAll: value('m', flags.dotAll),
    extended: value('x', flags.extended),
  };
}

function character(value: string, flags: Flags): string {
  return flags.ignoreCase ? `[${caseVariants(value)}]` : literal(value);
}
