/**
 * @file `npm run release -- --dry-run`: checks what would be published, and shows it. Without `--dry-run`, after asking:
 * where changesets wait, it writes versions and changelogs (`changeset version`), to be looked at and committed; where none
 * wait, it publishes (`changeset publish`). `--yes` answers for who is not there, in a CI: npm signs where a package comes
 * from (provenance) only there.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { packAll } from './lib/pack.mjs';
import { runInForeground, runNpm } from './lib/processes.mjs';
import { describeTarballs, manifestProblems, releasePlan } from './lib/release-plan.mjs';
import { publishedPackages, root } from './lib/repository.mjs';
import { stage } from './lib/stage.mjs';

const options = process.argv.slice(2);
const known = ['--dry-run', '--yes'];
const isDry = options.includes('--dry-run');
// What ships is what is checked; a release runs everything.
const checks = isDry ? ['lint', 'check:packages'] : ['test', 'lint', 'typecheck', 'check:packages', 'docs'];

try {
  await release();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

async function release() {
  const unknown = options.find((option) => !known.includes(option));
  if (unknown) throw new Error(`unknown option '${unknown}'; there are ${known.join(' and ')}`);
  const changed = git(['status', '--porcelain']);
  if (changed !== '') throw new Error(`refused: the working tree has changes; commit or stash them first\n${changed}`);

  for (const check of checks) await stage(`npm run ${check}`, () => runNpm(['run', '--silent', check]));
  const { versions, lines } = await releasePlan();
  await show(versions, lines);
  const problems = manifestProblems(
    publishedPackages(),
    readJson('package.json'),
    readJson('.changeset/config.json').fixed.flat(),
  );
  if (problems.length > 0) {
    const list = problems.map((problem) => `  ${problem}`).join('\n');
    if (!isDry) throw new Error(`refused:\n${list}`);
    console.log(`\nIn the way of publishing:\n${list}`);
  }
  if (isDry) return;
  await (versions.size > 0 ? writeVersions() : publish());
}

async function show(versions, lines) {
  const destination = mkdtempSync(join(tmpdir(), 'transfusion-release-'));
  try {
    const packages = await stage('packing', () => packAll(destination));
    console.log(`\n${describeTarballs(packages, versions).join('\n')}`);
  } finally {
    rmSync(destination, { recursive: true, force: true });
  }
  if (lines.length === 0)
    return console.log('\nNo changesets wait: these versions are published, where the registry has them not.');
  console.log('\nChangelogs:');
  for (const { kind, text, names } of lines) console.log(`  ${kind}: ${text} (${names.map(shortName).join(', ')})`);
}

async function writeVersions() {
  await ask('Write these versions and changelogs?');
  await changeset('version');
  updateExamples();
  await runNpm(['install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund']);
  console.log('Look at the changes, commit them, and run this again to publish.');
}

/** They are no workspaces: whoever copies one installs it by itself. */
function updateExamples() {
  const { version } = readJson('packages/core/package.json');
  for (const name of readdirSync(join(root, 'examples'))) {
    const path = join(root, 'examples', name, 'package.json');
    if (!existsSync(path)) continue;
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replaceAll(/("@transfusion\/[\w-]+": )"\^[^"]*"/g, `$1"^${version}"`));
  }
}

async function publish() {
  if (!process.env.GITHUB_ACTIONS && !process.env.GITLAB_CI) {
    throw new Error(
      'refused: npm signs the provenance of a package only in GitHub Actions or GitLab CI; publish from there, with --yes',
    );
  }
  await ask('Publish these packages?');
  await changeset('publish');
}

async function changeset(command) {
  const code = await runInForeground([join(root, 'node_modules/@changesets/cli/bin.js'), command]);
  if (code !== 0) throw new Error(`changeset ${command} failed`);
}

async function ask(question) {
  if (options.includes('--yes')) return;
  if (!process.stdin.isTTY) throw new Error(`${question} Nobody can answer here: give --yes`);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`${question} (yes/no) `);
  terminal.close();
  if (answer.trim() !== 'yes') throw new Error('nothing was done');
}

function git(args) {
  const { status, stdout, stderr } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
  return stdout.trimEnd();
}

function readJson(file) {
  return JSON.parse(readFileSync(join(root, file), 'utf8'));
}

function shortName(name) {
  return name.split('/').at(-1);
}
