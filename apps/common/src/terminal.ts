/** @file The terminal as the apps use it: results to stdout, everything else to stderr, one signal to stop. */
import pc from 'picocolors';

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

/**
 * The process's terminal. SIGINT and SIGTERM abort its signal; a later second SIGINT ends the process at once.
 * @param options.onStop what the program does when told to stop, for the message
 */
export function processTerminal(options: { onStop: string }): Terminal & { dispose(): void } {
  const controller = new AbortController();
  let stoppedAt = Number.NaN;
  const stop = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      if (name === 'SIGINT' && performance.now() - stoppedAt > TOGETHER_MILLISECONDS) process.exit(130);
      return;
    }
    stoppedAt = performance.now();
    process.stderr.write(`\n${pc.dim(`${name}: ${options.onStop}; Ctrl-C again to leave at once`)}\n`);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return {
    out: (text) => void process.stdout.write(`${text}\n`),
    log: (text) => void process.stderr.write(`${text}\n`),
    signal: controller.signal,
    dispose() {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  };
}
