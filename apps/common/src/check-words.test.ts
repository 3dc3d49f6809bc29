import { Argument, Command } from 'commander';
import { checkWords, quoted, repeatable } from './check-words.js';
import { number } from './options.js';

/** What is said of a command line of a program with two commands; nothing where there is nothing to say. */
function said(...argv: string[]): string {
  const lines: string[] = [];
  const root = new Command('program').exitOverride().configureOutput({ writeErr: (text) => lines.push(text) });
  root
    .command('draw')
    .option('--prompt <text>', 'a text')
    .requiredOption('--out <file>', 'a file')
    .option('--scale <n>', 'a number', number())
    .option('--draft', 'no value')
    .option('--many <file...>', 'several')
    .addOption(repeatable('--part <text>', 'may be repeated', (text, all: string[] = []) => [...all, text]))
    .addOption(repeatable('--image <file>', 'may be repeated', (text, all: string[] = []) => [...all, text]));
  root.command('tell').addArgument(new Argument('<file>', 'a file'));
  const option = (command: string, flag: string, value?: string) =>
    command === 'draw' && flag === '--from' ? `--image ${value}` : undefined;
  const word = (command: string, text: string) => (command === 'draw' ? `--prompt ${text}` : undefined);
  try {
    checkWords(root, argv, { option, word });
  } catch (error) {
    expect(error).toMatchObject({ exitCode: 1 });
  }
  return lines.join('').trim();
}

test.each([
  [[]],
  [['other', 'words']],
  [['draw', '--prompt', 'red heart', '--scale', '-2', '--draft']],
  [['draw', '--prompt=--out', '--part', 'a', '--part', 'b', '--image', 'c', '--image', 'd']],
  [['draw', '--many', 'a', 'b', 'c', '--draft', '--draft']],
  [['tell', 'file']],
  [['draw', '--help', 'me', '--anyhow']],
])('%j has nothing to refuse', (argv) => {
  expect(said(...argv)).toBe('');
});

test.each<[string[], string]>([
  [['draw', 'frog'], "unexpected word 'frog'; did you mean --prompt frog?"],
  [
    ['draw', '--prompt', 'red', 'heart', 'now', '--draft'],
    `unexpected words 'heart', 'now': a value of several words needs quotes, --prompt "red heart now"`,
  ],
  [['draw', '--part=a', 'b'], `unexpected word 'b': a value of several words needs quotes, --part "a b"`],
  [['draw', '--image', 'a', 'b'], "unexpected word 'b': repeat the option, --image a --image b"],
  [['draw', '--scale', '2', '3'], "unexpected word '3'; did you mean --prompt 3?"],
  [['draw', '--draft', 'yes'], "unexpected word 'yes'; did you mean --prompt yes?"],
  [['tell', 'a', 'b'], "unexpected word 'b'"],
])('a stray word: %j', (argv, message) => {
  expect(said(...argv)).toBe(`error: ${message}`);
});

test.each<[string[], string]>([
  // Before --out, which is missing.
  [['draw', '--promt', 'a'], "unknown option '--promt'; did you mean --prompt?"],
  [['draw', '--from', 'a.png'], "unknown option '--from'; did you mean --image a.png?"],
  [['draw', '-x'], "unknown option '-x'"],
  [['tell', '--from', 'a.png'], "unknown option '--from'"],
])('an unknown option: %j', (argv, message) => {
  expect(said(...argv)).toBe(`error: ${message}`);
});

test('a value is given once, and is not the next option', () => {
  expect(said('draw', '--prompt', 'a b', '--draft', '--prompt=c')).toBe(
    `error: option '--prompt <text>' is given twice, with "a b" and with c: give one`,
  );
  expect(said('draw', '--prompt', '--out', 'a.png')).toBe(
    "error: option '--prompt <text>' has no value: --out follows; a text that looks so: --prompt=--out",
  );
});

test('quotes where a shell needs them', () => {
  expect(['a.png', 'red heart', 'say "$1"', ''].map(quoted)).toEqual([
    'a.png',
    '"red heart"',
    '"say \\"\\$1\\""',
    '""',
  ]);
});
