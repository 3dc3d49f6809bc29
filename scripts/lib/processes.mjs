/** @file Child processes, alike on Linux, macOS and Windows. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { root } from './repository.mjs';

/** A child that failed, with what it printed. */
export class ChildError extends Error {
  constructor(command, status, output) {
    super(`${command} ended with ${status}\n${output}`);
    this.name = 'ChildError';
    this.output = output;
  }
}

/**
 * Runs Node on a script, silently: this one, or another `executable`.
 *
 * @returns {Promise<string>} what it printed
 * @throws {ChildError} when it fails
 */
export function runNode(args, { executable = process.execPath, ...options } = {}) {
  return capture(executable, args, options);
}

/** Runs npm, silently; returns and throws as `runNode`. */
export function runNpm(args, options = {}) {
  const script = npmScript();
  if (script) return capture(process.execPath, [script, ...args], options);
  return capture('npm', args, { ...options, shell: process.platform === 'win32' });
}

/** npm's own entry, so that no shell is needed: as npm told it, or beside Node. */
function npmScript() {
  const told = process.env.npm_execpath;
  const folder = dirname(process.execPath);
  const candidates = [
    told && basename(told) === 'npm-cli.js' ? told : undefined,
    join(folder, 'node_modules/npm/bin/npm-cli.js'),
    join(folder, '../lib/node_modules/npm/bin/npm-cli.js'),
  ];
  return candidates.find((path) => path !== undefined && existsSync(path));
}

function capture(command, args, { cwd = root, env = {}, shell = false, timeoutSeconds } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      shell,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    // The timer of spawn's own timeout would outlive a child that could not start, and keep this process waiting.
    const timer = timeoutSeconds === undefined ? undefined : setTimeout(() => child.kill(), timeoutSeconds * 1000);
    let output = '';
    let standardOutput = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      standardOutput += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(standardOutput);
      else reject(new ChildError([basename(command), ...args].join(' '), signal ?? `exit code ${code}`, output));
    });
  });
}

/**
 * Runs Node (this one, or another `executable`) on a script that owns the terminal, and passes signals on, so that it can
 * save and stop by itself.
 *
 * @returns {Promise<number>} its exit code; 128 + n where signal n ended it
 */
export function runInForeground(args, { executable = process.execPath, env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(executable, args, { cwd: root, env: { ...process.env, ...env }, stdio: 'inherit' });
    // A terminal sends Ctrl-C to the child itself; a second copy would look like the impatient second Ctrl-C.
    const handlers = {
      SIGINT: () => process.stdin.isTTY || child.kill('SIGINT'),
      SIGTERM: () => child.kill('SIGTERM'),
      SIGHUP: () => child.kill('SIGHUP'),
    };
    for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      for (const [name, handler] of Object.entries(handlers)) process.off(name, handler);
      resolve(code ?? 128 + ({ SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal] ?? 0));
    });
  });
}
