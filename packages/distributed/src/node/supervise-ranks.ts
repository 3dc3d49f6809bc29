/** @file Starts a command as several ranks, and starts all of them again when one is lost. */
import { spawn } from 'node:child_process';
import { TransfusionError } from '@transfusion/core';
import { findLauncher, launcherArguments, nameOf, type RankLauncher } from './find-launcher.js';
import { describeStatus, RankRecords, trySignal } from './rank-records.js';

export interface SuperviseRanksOptions {
  /** How many. */
  ranks: number;
  /** What each of them runs: a program and its arguments. After a restart it may be another, which goes on from a checkpoint. */
  command: readonly string[] | ((restart: number) => readonly string[]);
  /** How often all ranks are started again after one was lost. Default: 0. */
  maxRestarts?: number;
  /** A program like `mpirun`. Default: TRANSFUSION_MPI_LAUNCHER, or the first that there is. */
  launcher?: string;
  /** For the launcher, such as `['--hostfile', 'hosts']`. */
  launcherOptions?: readonly string[];
  /** Default: that of this process. */
  environment?: NodeJS.ProcessEnv;
  /**
   * When it is aborted the ranks are told to stop, by SIGINT. Without it, SIGINT, SIGTERM and SIGHUP of this process are passed on to
   * the ranks, once; a second one, a second later or more, ends them.
   */
  signal?: AbortSignal;
  /** What a person should know, a line each. Default: to stderr. */
  log?(line: string): void;
}

export interface RanksEnd {
  /** Exit code of the ranks: of the first that failed. A signal is 128 and its number, as in a shell. */
  code: number;
  restarts: number;
  /** What failed, last: `rank 1 was killed by SIGKILL`. */
  reason: string | undefined;
}

/** A mistake of the user, such as an unknown option, is one after a restart too. */
const BAD_INPUT = 2;
/** How long a launcher may take to end the others after a rank has failed, and how often that is looked for. */
const PATIENCE_MILLISECONDS = 3000;
const LOOK_MILLISECONDS = 250;
const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Signals that come together are one wish: a terminal and a parent may both deliver it. */
const TOGETHER_MILLISECONDS = 1000;

/**
 * Runs the ranks to their end. Output passes through. When one fails the launcher ends the others; they all start again unless that was
 * wished (a signal), it is the user's mistake (exit code 2), or it happened too often.
 * @throws TransfusionError DISTRIBUTED_NO_MPI, DISTRIBUTED_OPTIONS
 */
export async function superviseRanks(options: SuperviseRanksOptions): Promise<RanksEnd> {
  const { command, maxRestarts = 0, environment = process.env, log = toStderr } = options;
  checkOptions(options);
  const launcher = findLauncher(options.launcher ?? environment.TRANSFUSION_MPI_LAUNCHER, environment);
  const wish = new Wish(options.signal);
  try {
    for (let restarts = 0; ; restarts++) {
      const argv = typeof command === 'function' ? command(restarts) : command;
      const { code, reason } = await runOnce(launcher, argv, options, wish);
      if (reason === undefined || wish.isStopping || code === BAD_INPUT) return { code, restarts, reason };
      if (restarts >= maxRestarts) {
        log(maxRestarts === 0 ? reason : `${reason}; all ${maxRestarts} restarts are used`);
        return { code, restarts, reason };
      }
      log(`${reason}; starting all ranks again (restart ${restarts + 1} of ${maxRestarts})`);
    }
  } finally {
    wish.forget();
  }
}

/** The launcher, from its start to its end. */
async function runOnce(
  launcher: RankLauncher,
  command: readonly string[],
  { ranks, launcherOptions = [], environment = process.env }: SuperviseRanksOptions,
  wish: Wish,
): Promise<{ code: number; reason: string | undefined }> {
  const records = new RankRecords();
  const argv = [...launcherArguments(launcher, ranks), ...launcherOptions, ...records.wrap(command)];
  // In a group of its own, which Ctrl-C does not reach: what a launcher does about it would end ranks that are saving.
  const child = spawn(launcher.program, argv, {
    env: environment,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  const end = () => {
    if (child.pid !== undefined) trySignal(-child.pid, 'SIGKILL');
    records.signal('SIGKILL');
  };
  process.on('exit', end);
  wish.passTo({
    // Ranks on other machines hear of it from the launcher, or, by what they tell each other, from those here.
    stop: (name) => records.signal(name) > 0 || (child.pid !== undefined && trySignal(child.pid, name)),
    end,
  });
  // Launchers notice that a rank has failed, but for some that has not yet joined the others.
  let patience = PATIENCE_MILLISECONDS / LOOK_MILLISECONDS;
  const looking = setInterval(() => {
    if (records.ended().some(({ status }) => status !== 0) && --patience <= 0) end();
  }, LOOK_MILLISECONDS);
  try {
    const [status, name] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (...all) => resolve(all));
    });
    const failed = records.ended().find((each) => each.status !== 0);
    if (failed !== undefined) {
      return { code: failed.status, reason: `rank ${failed.rank} ${describeStatus(failed.status)}` };
    }
    if (status === 0) return { code: 0, reason: undefined };
    const how = name === null ? describeStatus(status ?? 1) : `was killed by ${name}`;
    return { code: status ?? 1, reason: `${nameOf(launcher)} ${how}` };
  } finally {
    clearInterval(looking);
    wish.passTo(undefined);
    process.off('exit', end);
    end();
    records.remove();
  }
}

interface Ranks {
  stop(name: NodeJS.Signals): void;
  end(): void;
}

/** That the ranks shall stop, by whichever way it is told. */
class Wish {
  #ranks: Ranks | undefined;
  #told: NodeJS.Signals | undefined;
  #toldAt = 0;
  readonly #aborted: AbortSignal | undefined;
  readonly #onSignal = (name: NodeJS.Signals) => {
    if (this.#told === undefined) this.#tell(name);
    else if (performance.now() - this.#toldAt > TOGETHER_MILLISECONDS) this.#ranks?.end();
  };
  readonly #onAbort = () => this.#tell('SIGINT');

  constructor(aborted: AbortSignal | undefined) {
    this.#aborted = aborted;
    if (aborted === undefined) for (const name of PASSED_ON) process.on(name, this.#onSignal);
    else if (aborted.aborted) this.#onAbort();
    else aborted.addEventListener('abort', this.#onAbort, { once: true });
  }

  get isStopping(): boolean {
    return this.#told !== undefined;
  }

  passTo(ranks: Ranks | undefined): void {
    this.#ranks = ranks;
    if (this.#told !== undefined) ranks?.stop(this.#told);
  }

  forget(): void {
    for (const name of PASSED_ON) process.off(name, this.#onSignal);
    this.#aborted?.removeEventListener('abort', this.#onAbort);
  }

  #tell(name: NodeJS.Signals): void {
    this.#told = name;
    this.#toldAt = performance.now();
    this.#ranks?.stop(name);
  }
}

function checkOptions({ ranks, maxRestarts = 0 }: SuperviseRanksOptions): void {
  const wrong =
    !Number.isInteger(ranks) || ranks < 1
      ? `ranks is ${ranks}`
      : !Number.isInteger(maxRestarts) || maxRestarts < 0
        ? `maxRestarts is ${maxRestarts}`
        : process.platform === 'win32'
          ? 'ranks are started by a shell of Unix, which Windows has not'
          : undefined;
  if (wrong === undefined) return;
  throw new TransfusionError({
    code: 'DISTRIBUTED_OPTIONS',
    message: wrong,
    fix: 'give whole numbers: at least one rank, no or more restarts; on Windows use WSL',
  });
}

function toStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}
