/** @file Reads a pattern character by character: characters and their escapes, in the pattern and in its classes. */

/** What in a pattern has no exact counterpart; `compileOniguruma` makes a TokenizerError of it. */
export class PatternProblem extends Error {}

const CONTROL_ESCAPES: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7, e: 27 };

/** Marks that make, behind an ASCII letter, what folds to one character (as i and a dot). */
const foldingMarks = /[\u0307\u0308\u030a\u030c\u0331\u02bc\u02be]/;
const cased = /\p{Changes_When_Casefolded}|\p{Changes_When_Casemapped}/u;

export class PatternScanner {
  readonly #pattern: string;
  #index = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  get isAtEnd(): boolean {
    return this.#index >= this.#pattern.length;
  }

  /** Takes the text if it comes next. */
  take(text: string): boolean {
    const isNext = this.#pattern.startsWith(text, this.#index);
    if (isNext) this.#index += text.length;
    return isNext;
  }

  /** Takes what a sticky expression matches here. */
  takeMatch(sticky: RegExp): RegExpExecArray | null {
    sticky.lastIndex = this.#index;
    const match = sticky.exec(this.#pattern);
    if (match) this.#index += match[0].length;
    return match;
  }

  startsWith(text: string): boolean {
    return this.#pattern.startsWith(text, this.#index);
  }

  next(): string {
    if (this.isAtEnd) throw new PatternProblem('it ends too early');
    const character = String.fromCodePoint(this.#pattern.codePointAt(this.#index)!);
    this.#index += character.length;
    return character;
  }

  /** The character that an escape stands for, if it is one; the backslash is taken already. */
  escapedCharacter(): string | undefined {
    const hex = this.takeMatch(/x\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})/y);
    if (hex) {
      const codePoint = Number.parseInt(hex[1] ?? hex[2] ?? hex[3], 16);
      // Oniguruma takes \x80 to \xff for bytes of UTF-8.
      if (hex[2] && codePoint > 0x7f) throw new PatternProblem(`\\${hex[0]} is a byte, not a character`);
      if (codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint <= 0xdfff)) {
        throw new PatternProblem(`\\${hex[0]} is no character`);
      }
      return String.fromCodePoint(codePoint);
    }
    const control = this.takeMatch(/[tnvfrae]/y);
    if (control) return String.fromCharCode(CONTROL_ESCAPES[control[0]]);
    if (this.takeMatch(/[0-9A-Za-z]/y)) {
      this.#index--;
      return undefined;
    }
    return this.next();
  }
}

/** A character as it is written in a pattern or a class. */
export function literal(character: string): string {
  return /[\x21-\x7e]/.test(character) && !/\w/.test(character)
    ? `\\u{${character.charCodeAt(0).toString(16)}}`
    : character;
}

/** The characters that equal one whatever their case, as the inside of a class. Only ASCII has simple rules. */
export function caseVariants(character: string): string {
  if (/[a-z]/i.test(character)) {
    const lower = character.toLowerCase();
    const others: Record<string, string> = { k: '\u212a', s: '\u017f' };
    return lower + character.toUpperCase() + (others[lower] ?? '');
  }
  if (cased.test(character) || foldingMarks.test(character)) {
    throw new PatternProblem(`${JSON.stringify(character)} under (?i)`);
  }
  return literal(character);
}
