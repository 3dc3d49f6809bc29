/** @file Lints the tarballs that would be published: publint for package.json, attw for types. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { packAll } from './lib/pack.mjs';
import { setupOrExit } from './setup.mjs';

// attw's library is a dependency of its command line, which is the one declared here.
const fromAttw = createRequire(createRequire(import.meta.url).resolve('@arethetypeswrong/cli/package.json'));
const attw = await import(pathToFileURL(fromAttw.resolve('@arethetypeswrong/core')).href);

await setupOrExit({ types: true });
const destination = mkdtempSync(join(tmpdir(), 'transfusion-packages-'));
try {
  const packages = await packAll(destination);
  const problems = [];
  for (const { name, tarball } of packages) {
    const data = readFileSync(tarball);
    const found = [...(await packageProblems(data)), ...(await typeProblems(data))];
    problems.push(...found.map((problem) => `${name}: ${problem}`));
  }
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
  else console.log(`Checked ${packages.length} packages with publint and attw.`);
} finally {
  rmSync(destination, { recursive: true, force: true });
}

async function packageProblems(data) {
  const tarball = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  const { messages, pkg } = await publint({ pack: { tarball }, level: 'warning' });
  return messages.map((message) => `publint ${message.type}: ${formatMessage(message, pkg, { color: false })}`);
}

async function typeProblems(data) {
  const analysis = await attw.checkPackage(attw.createPackageFromTarballData(new Uint8Array(data)));
  if (!analysis.types) return ['attw: has no types'];
  // node10 resolution knows no `exports`, so it cannot find entries below the main one; Node 20 does not use it.
  return analysis.problems
    .filter(({ resolutionKind, entrypoint }) => resolutionKind !== 'node10' || entrypoint === '.')
    .map(({ kind, ...where }) => `attw ${kind}: ${JSON.stringify(where)}`);
}
