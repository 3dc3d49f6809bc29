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

/**
 * The process's terminal. SIGINT and SIGTERM abort its signal; a second SIGINT ends the process at once.
 * @param options.onStop what the program does when told to stop, for the message
 */
export function processTerminal(options: { onStop: string }): Terminal & { dispose(): void } {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals) => {
    if (controller.signal.aborted && name === 'SIGINT') process.exit(130);
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
