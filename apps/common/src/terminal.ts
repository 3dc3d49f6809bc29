/** @file The terminal as the apps use it: results to stdout, everything else to stderr, one signal to stop. */
import { setImmediate as nextTask } from 'node:timers/promises';
import pc from 'picocolors';
import { surviveClosing } from './closed-streams.js';

export interface Terminal {
  /** Results. */
  out(text: string): void;
  /** What a person should know. */
  log(text: string): void;
  /** Aborted when the user wants to stop. */
  signal: AbortSignal;
}

/** Signals that come together are one wish: a process group and a parent that forwards may both deliver it. */
const TOGETHER_MILLISECONDS = 1000;

/** Ctrl-C; a supervisor's wish; the end of the terminal. */
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs a program in the process's terminal, and leaves its exit code behind. SIGINT, SIGTERM and SIGHUP abort the terminal's
 * signal; a later second SIGINT ends the process at once. Where stdout or stderr is closed, work goes on without it; where
 * results cannot be written though somebody waits for them, as on a full disk, the exit code is 1.
 *
 * @param options.onStop what the program does when told to stop, for the message
 * @param options.leaveOn a later second one of these ends the process at once; default: SIGINT
 */
export async function runInTerminal(
  options: { onStop: string; leaveOn?: readonly NodeJS.Signals[] },
  program: (argv: readonly string[], terminal: Terminal) => Promise<number>,
): Promise<void> {
  const { leaveOn = ['SIGINT'] } = options;
  const controller = new AbortController();
  const log = (text: string) => void process.stderr.write(`${text}\n`);
  let stoppedAt = Number.NaN;
  const stop = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      const isLater = performance.now() - stoppedAt > TOGETHER_MILLISECONDS;
      if (isLater && leaveOn.includes(name)) process.exit(name === 'SIGINT' ? 130 : 143);
      return;
    }
    stoppedAt = performance.now();
    log(`\n${pc.dim(`${name}: ${options.onStop}; Ctrl-C again to leave at once`)}`);
    controller.abort();
  };
  for (const name of STOPPING) process.on(name, stop);
  let isLost = false;
  surviveClosing(process.stderr, () => {});
  surviveClosing(process.stdout, ({ message }) => {
    isLost = true;
    log(pc.red(`cannot write the results to stdout: ${message}`));
  });
  const out = (text: string) => void process.stdout.write(`${text}\n`);
  const code = await program(process.argv.slice(2), { out, log, signal: controller.signal });
  // The last write's failure is told in a later turn of the event loop.
  await nextTask();
  process.exitCode = isLost && code === 0 ? 1 : code;
  for (const name of STOPPING) process.off(name, stop);
}
