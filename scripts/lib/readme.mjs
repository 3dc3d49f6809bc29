/** @file What the README of a package promises: a line that installs, and an example that then runs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from './repository.mjs';

const longestExample = 10;

/**
 * The first `ts` or `js` block of a README, or the first one after a line `<!-- example -->`.
 *
 * @returns {{ readme: string, file: string, language: string, code: string, javascript: string }}
 * @throws {Error} when there is none, or it has more than ten lines that are not empty
 */
export function exampleOf({ folder }) {
  const readme = `${folder}/README.md`;
  const marked = read(readme)
    .split(/^<!-- example -->$/m)
    .at(-1);
  const block = /^```(ts|js)\r?\n([\s\S]*?)^```/m.exec(marked);
  if (!block) throw new Error(`${readme}: has no ts or js example`);
  const [, language, code] = block;
  const lines = code.split('\n').filter((line) => line.trim() !== '').length;
  if (lines > longestExample)
    throw new Error(`${readme}: the first example has ${lines} lines; ${longestExample} at most do its job`);
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true };
  const javascript = ts.transpileModule(code, { compilerOptions }).outputText;
  return { readme, file: `example-${folder.split('/').at(-1)}`, language, code, javascript };
}

/**
 * What the first line `npm install …` of a README names, without versions.
 *
 * @returns {string[]}
 * @throws {Error} when there is none, or it does not name the package
 */
export function installsOf({ name, folder }) {
  const readme = `${folder}/README.md`;
  const line = /^npm install (.+)$/m.exec(read(readme));
  const names = (line?.[1] ?? '').split(/\s+/).map((word) => word.replace(/(?<=.)@.*$/, ''));
  if (!names.includes(name)) throw new Error(`${readme}: has no line \`npm install ${name} …\``);
  return names;
}

function read(file) {
  return readFileSync(join(root, file), 'utf8');
}
