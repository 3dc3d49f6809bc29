/**
 * @file Makes this package that of a run's model: `model`, `src/files.ts`, `README.md` (the model card) and `picture.png`.
 *
 * Usage, after `npm run setup`: node packages/emoji-64/scripts/take-run.mjs RUN [--picture FILE] [options of `trainer card`]
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const LINE_WIDTH = 120;

/**
 * Nothing is replaced before the model is exported and its card is written.
 *
 * @param {{
 *   run: string, folder: string, name: string, picture?: string, card?: readonly string[],
 *   trainer: (argv: string[]) => void | Promise<void>,
 * }} options `folder`: of the package; `card`: options of `trainer card`; `trainer` runs the trainer's command line, and throws
 *   where that fails
 */
export async function takeRun({ run, folder, name, picture, card = [], trainer }) {
  const [model, exported] = ['model', '.model-new'].map((each) => join(folder, each));
  const shown = picture && join(folder, 'picture.png');
  rmSync(exported, { recursive: true, force: true });
  try {
    await trainer(['export', '--run', run, '--out', exported]);
    const facts = ['--model', exported, '--name', name, ...(shown ? ['--picture', shown] : []), ...card];
    await trainer(['card', '--out', join(folder, 'README.md'), ...facts]);
    if (shown && resolve(picture) !== resolve(shown)) copyFileSync(picture, shown);
    rmSync(model, { recursive: true, force: true });
    renameSync(exported, model);
  } finally {
    rmSync(exported, { recursive: true, force: true });
  }
  writeFileSync(join(folder, 'src/files.ts'), filesModule(readSums(join(model, 'SHA256SUMS'))));
}

/**
 * `src/files.ts`.
 *
 * @param {Record<string, string>} sums SHA-256 by name
 * @returns {string}
 */
export function filesModule(sums) {
  const names = Object.keys(sums).sort();
  const entries = (value) => names.map((name) => `  ${key(name)}: ${value(name)},\n`).join('');
  const record = (value) => (names.length === 0 ? '{}' : `{\n${entries(value)}}`);
  // As the formatter of this repository would have it.
  const address = (name) => {
    const [file, base] = [`'../model/${name}'`, 'import.meta.url'];
    const line = `new URL(${file}, ${base}).href`;
    return `  ${key(name)}: ${line},`.length <= LINE_WIDTH ? line : `new URL(\n    ${file},\n    ${base},\n  ).href`;
  };
  return `/** @file Made by \`scripts/take-run.mjs\`: the files of \`model\`. */

/**
 * Addresses by name, for \`new UrlSource(files)\` in a page; none while there is no model. Each is written out, so that bundlers
 * see the file, copy it and put its place here.
 */
export const files: Readonly<Record<string, string>> = ${record(address)};

/** SHA-256 by name, for \`verify\`. */
export const sha256: Readonly<Record<string, string>> = ${record((name) => `'${sums[name]}'`)};
`;
}

function readSums(path) {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return Object.fromEntries(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
}

function key(name) {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`;
}

/** The trainer that was built. */
function builtTrainer(argv) {
  const cli = fileURLToPath(new URL('../../../apps/trainer/dist/cli.js', import.meta.url));
  if (!existsSync(cli)) throw new Error('the trainer is not built: npm run setup');
  const { status } = spawnSync(process.execPath, [cli, ...argv], { stdio: 'inherit' });
  if (status !== 0) throw new Error(`trainer ${argv[0]} failed`);
}

async function main([run, ...given]) {
  if (run === undefined || run.startsWith('-'))
    throw new Error('which run? take-run.mjs RUN [--picture FILE] [options of trainer card]');
  const at = given.indexOf('--picture');
  const [, picture] = at < 0 ? [] : given.splice(at, 2);
  const folder = fileURLToPath(new URL('..', import.meta.url));
  await takeRun({ run, folder, name: '@transfusion/emoji-64', picture, card: given, trainer: builtTrainer });
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
