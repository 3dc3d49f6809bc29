/** @file Command-line options and conventions that all commands share. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { BackendChoice } from './backend.js';
import { type CommandLineHints, checkWords } from './check-words.js';
import { reportError } from './report-error.js';
import type { Terminal } from './terminal.js';

/** Parses a whole number in [least, most]. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
    const isHuge = most === Number.MAX_SAFE_INTEGER && value > most;
    throw new InvalidArgumentError(
      most === Number.MAX_SAFE_INTEGER && !isHuge
        ? `give a whole number from ${least}`
        : `give a whole number from ${least} to ${most}`,
    );
  };
}

/** Parses a number in [least, most]. */
export function number(least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY) {
  return (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isFinite(value) && value >= least && value <= most) return value;
    const from = least === Number.NEGATIVE_INFINITY ? '' : ` from ${least}`;
    throw new InvalidArgumentError(`give a number${from}${most === Number.POSITIVE_INFINITY ? '' : ` to ${most}`}`);
  };
}

/** Parses a number in (least, most]. */
export function numberAbove(least: number, most = Number.POSITIVE_INFINITY) {
  return (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isFinite(value) && value > least && value <= most) return value;
    throw new InvalidArgumentError(
      `give a number above ${least}${most === Number.POSITIVE_INFINITY ? '' : `, at most ${most}`}`,
    );
  };
}

/** Adds --backend, --require-gpu and --threads. */
export function withBackend(command: Command): Command {
  return command
    .addOption(
      new Option('--backend <name>', 'auto: a GPU if there is one, else the CPU')
        .choices(['auto', 'wasm', 'webgpu'])
        .default('auto'),
    )
    .option('--require-gpu', 'refuse to run on a software adapter or the CPU')
    .option('--threads <n>', 'CPU threads (default: all cores)', wholeNumber(1, 256));
}

export function backendChoice({ backend, requireGpu, threads }: BackendChoice): BackendChoice {
  return { backend, requireGpu, threads };
}

/** A program whose words go to the terminal and whose mistakes throw instead of ending the process. */
export function rootCommand(name: string, terminal: Terminal): Command {
  return new Command(name).exitOverride().configureOutput({
    writeOut: (text) => terminal.out(text.trimEnd()),
    writeErr: (text) => terminal.log(text.trimEnd()),
  });
}

/** Parses and runs. The exit code: 0 done, 1 failed while running, 2 bad input, 130 cancelled. */
export async function runCommand(
  root: Command,
  argv: readonly string[],
  terminal: Terminal,
  hints?: CommandLineHints,
): Promise<number> {
  for (const command of root.commands) command.copyInheritedSettings(root).allowExcessArguments(false);
  try {
    checkWords(root, argv, hints);
    await root.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    // Anything else that went wrong on the way out, such as a failed save, is reported as what it is.
    if (terminal.signal.aborted && error === terminal.signal.reason) {
      terminal.log('cancelled');
      return 130;
    }
    return reportError(error, terminal);
  }
}
