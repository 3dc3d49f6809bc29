/** @file The words of a command line, before they are parsed: what a command would pass over, or take for something else. */
import { nearestName } from '@transfusion/core';
import { type Command, Option } from 'commander';

/** What a program knows about words that fit none of its commands. */
export interface CommandLineHints {
  /** What an option that the command does not have may mean, such as `--image`. */
  option?(command: string, flag: string, value: string | undefined): string | undefined;
  /** What a word may mean that belongs to no option, such as `--prompt frog`. */
  word?(command: string, word: string): string | undefined;
}

const many = new WeakSet<Option>();

/** An option that may be given more than once; `parse` is given the value so far. */
export function repeatable<Value>(
  flags: string,
  description: string,
  parse: (text: string, previous: Value) => Value,
): Option {
  const option = new Option(flags, description).argParser(parse);
  many.add(option);
  return option;
}

/**
 * Refuses options that the command does not have (before any that it misses), a second value where one is taken, and words that belong
 * to nothing.
 *
 * @throws CommanderError
 */
export function checkWords(root: Command, argv: readonly string[], hints: CommandLineHints = {}): void {
  const command = root.commands.find((each) => each.name() === argv[0]);
  const problem = command && problemOf(command, argv.slice(1), hints);
  if (problem !== undefined) command?.error(`error: ${problem}`);
}

/** The first one. */
function problemOf(command: Command, argv: readonly string[], hints: CommandLineHints): string | undefined {
  const given = new Map<Option, string>();
  let room = command.createHelp().visibleArguments(command).length;
  let before: GivenOption | undefined;
  for (const each of readWords(command, argv)) {
    if ('words' in each) {
      if (room-- <= 0) return unexpected(command, each.words, before, hints);
      continue;
    }
    if ('unknown' in each) return unknownOption(command, each, hints);
    before = each;
    const { option, value } = each;
    const first = given.get(option);
    if (first !== undefined && value !== undefined && !many.has(option)) {
      return `option '${option.flags}' is given twice, with ${quoted(first)} and with ${quoted(value)}: give one`;
    }
    if (value === undefined) continue;
    if (!each.isJoined && command.options.some(({ long }) => long === value)) {
      return `option '${option.flags}' has no value: ${value} follows; a text that looks so: ${option.long}=${value}`;
    }
    given.set(option, value);
  }
  return undefined;
}

interface GivenOption {
  option: Option;
  /** Missing where it takes none, or several. */
  value?: string;
  /** As in `--seed=3`. */
  isJoined?: boolean;
}

interface UnknownOption {
  unknown: string;
  /** What may be its value. */
  next: string | undefined;
}

/** Words that belong to no option are given up to the next flag. */
function* readWords(
  command: Command,
  argv: readonly string[],
): Generator<GivenOption | UnknownOption | { words: string[] }> {
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === '--help' || argv[i] === '-h') return;
    if (!isFlag(argv[i])) {
      yield { words: upToFlag(argv, i) };
      continue;
    }
    const [flag, joined] = splitFlag(argv[i]);
    const option = command.options.find(({ long, short }) => flag === long || flag === short);
    if (!option) {
      yield { unknown: flag, next: joined ?? argv[i + 1] };
      return;
    }
    if (option.isBoolean()) yield { option };
    else if (option.variadic) {
      yield { option };
      i += upToFlag(argv, i + 1).length;
    } else {
      const value = joined ?? argv[++i];
      // A missing value is commander's to tell.
      yield { option, value, isJoined: joined !== undefined };
    }
  }
}

function isFlag(word: string): boolean {
  return word.length > 1 && word.startsWith('-');
}

/** `--seed=3` has its value in itself. */
function splitFlag(word: string): [string, string | undefined] {
  const at = word.startsWith('--') ? word.indexOf('=') : -1;
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

function upToFlag(words: readonly string[], from: number): string[] {
  const end = words.findIndex((word, i) => i >= from && isFlag(word));
  return words.slice(from, end < 0 ? undefined : end);
}

function unexpected(
  command: Command,
  words: readonly string[],
  before: GivenOption | undefined,
  { word: hintOf }: CommandLineHints,
): string {
  const told = `unexpected ${words.length === 1 ? 'word' : 'words'} ${words.map((word) => `'${word}'`).join(', ')}`;
  if (before?.value !== undefined) {
    const { option, value } = before;
    const { long, flags } = option;
    if (/<(file|folder)/.test(flags) && many.has(option)) {
      return `${told}: repeat the option, ${long} ${quoted(value)} ${long} ${quoted(words[0])}`;
    }
    if (takesText(option)) {
      return `${told}: a value of several words needs quotes, ${long} ${quoted([value, ...words].join(' '))}`;
    }
  }
  const hint = hintOf?.(command.name(), words[0]);
  return hint === undefined ? told : `${told}; did you mean ${hint}?`;
}

/** Not a number, nor one of some names. */
function takesText(option: Option): boolean {
  return option.argChoices === undefined && (option.parseArg === undefined || many.has(option));
}

function unknownOption(
  command: Command,
  { unknown: flag, next }: UnknownOption,
  { option: hintOf }: CommandLineHints,
): string {
  const value = next === undefined || isFlag(next) ? undefined : next;
  const names = command.options.flatMap(({ long }) => (long ? [long.slice(2)] : []));
  const nearest = flag.startsWith('--') ? nearestName(flag.slice(2), names) : undefined;
  const hint = hintOf?.(command.name(), flag, value) ?? (nearest && `--${nearest}`);
  return `unknown option '${flag}'${hint === undefined ? '' : `; did you mean ${hint}?`}`;
}

/** For a shell, where it has to be. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `"${text.replace(/["\\$`]/g, '\\$&')}"`;
}
