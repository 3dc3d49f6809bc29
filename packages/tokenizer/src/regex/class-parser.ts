/** @file Character classes: unions, ranges, nested classes, intersections. */
import { complement } from '../unicode/character-class.js';
import { caseVariants, literal, PatternProblem, type PatternScanner } from './pattern-scanner.js';
import { CLASS_ESCAPES, POSIX_CLASSES, propertySet } from './sets.js';

/** What may stand in a class: one character, which may begin a range, or a set. */
type Item = { character: string } | { set: string };

const MAX_DEPTH = 16;

export interface ClassOptions {
  ignoreCase: boolean;
  depth?: number;
}

/** Reads a class whose `[` is taken already. */
export function parseClass(scanner: PatternScanner, options: ClassOptions): string {
  const { ignoreCase, depth = 0 } = options;
  if (depth > MAX_DEPTH) throw new PatternProblem('classes are nested too deeply');
  const isNegated = scanner.take('^');
  if (isNegated && ignoreCase) throw new PatternProblem('a negated class under (?i)');
  const operands: string[] = [];
  let union = scanner.take(']') ? '\\u{5d}' : '';
  while (!scanner.take(']')) {
    if (scanner.take('&&')) {
      operands.push(union);
      union = '';
    } else {
      union += parseUnionPart(scanner, options);
    }
  }
  operands.push(union);
  if (operands.includes('')) throw new PatternProblem('an empty class');
  const body = operands.length === 1 ? union : operands.map((operand) => `[${operand}]`).join('&&');
  return isNegated ? complement(`[${body}]`) : `[${body}]`;
}

function parseUnionPart(scanner: PatternScanner, options: ClassOptions): string {
  const first = parseItem(scanner, options);
  if ('set' in first) {
    if (scanner.startsWith('-') && !scanner.startsWith('-]'))
      throw new PatternProblem('a range that begins with a set');
    return first.set;
  }
  const { character } = first;
  if (scanner.startsWith('-]') || !scanner.take('-')) {
    return options.ignoreCase ? caseVariants(character) : literal(character);
  }
  if (scanner.startsWith('[') || scanner.startsWith('&&')) throw new PatternProblem('a range that ends with a set');
  const last = parseItem(scanner, options);
  if ('set' in last) throw new PatternProblem('a range that ends with a set');
  if (character.codePointAt(0)! > last.character.codePointAt(0)!) throw new PatternProblem('an empty range');
  if (scanner.startsWith('-') && !scanner.startsWith('-]')) throw new PatternProblem('"-" behind a range');
  if (!options.ignoreCase) return `${literal(character)}-${literal(last.character)}`;
  return foldedRange(character.codePointAt(0)!, last.character.codePointAt(0)!);
}

function foldedRange(first: number, last: number): string {
  if (last > 0x7f) throw new PatternProblem('a range beyond ASCII under (?i)');
  return Array.from({ length: last - first + 1 }, (_, i) => caseVariants(String.fromCharCode(first + i))).join('');
}

function parseItem(scanner: PatternScanner, options: ClassOptions): Item {
  const posix = scanner.takeMatch(/\[:(\^?)(\w+):\]/y);
  if (posix) return { set: negated(POSIX_CLASSES[posix[2]], posix[1] === '^', posix[0], options) };
  if (scanner.take('[')) return { set: parseClass(scanner, { ...options, depth: (options.depth ?? 0) + 1 }) };
  if (!scanner.take('\\')) return { character: scanner.next() };
  const property = parseProperty(scanner, options);
  if (property) return { set: property };
  const shorthand = scanner.takeMatch(/[wdsh]/iy);
  if (shorthand) {
    const [name] = shorthand;
    const isNegated = name !== name.toLowerCase();
    if (isNegated && options.ignoreCase) throw new PatternProblem(`\\${name} under (?i)`);
    return { set: negated(CLASS_ESCAPES[name.toLowerCase()], isNegated, name, { ignoreCase: false }) };
  }
  const character = scanner.escapedCharacter();
  if (character === undefined) throw new PatternProblem(`\\${scanner.next()} in a class`);
  return { character };
}

/** `\p{name}`, `\p{^name}`, `\P{name}`, if one comes next; the backslash is taken already. */
export function parseProperty(scanner: PatternScanner, options: ClassOptions): string | undefined {
  const property = scanner.takeMatch(/([pP])\{(\^?)(\w+)\}/y);
  if (!property) return undefined;
  const [text, letter, circumflex, name] = property;
  return negated(propertySet(name), (letter === 'P') !== (circumflex === '^'), `\\${text}`, options);
}

function negated(set: string | undefined, isNegated: boolean, name: string, options: ClassOptions): string {
  if (set === undefined) throw new PatternProblem(`the set ${name}`);
  if (options.ignoreCase) throw new PatternProblem(`${name} under (?i)`);
  return isNegated ? complement(set) : set;
}
