/** @file `--ranks N`: starts a command N times under MPI's launcher, and again from the last checkpoint when a rank is lost. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Terminal } from '@transfusion/app-common';
import { TransfusionError } from '@transfusion/core';
import { superviseRanks } from '@transfusion/distributed/node';
import { runFiles, STATE_FILE } from '@transfusion/training/node';
import { rankHere } from '../ranks.js';

export interface LaunchRanksOptions {
  ranks: number;
  maxRestarts: number;
  /** The command line: the command and its options, these two among them. */
  argv: readonly string[];
  /** The folder of a new run, which is gone on with after a restart. Undefined where the command goes on by itself. */
  newRun?: string;
}

/** The exit code of the ranks. @throws TransfusionError RANKS_COMMAND, DISTRIBUTED_NO_MPI */
export async function launchRanks(options: LaunchRanksOptions, terminal: Terminal): Promise<number> {
  const { ranks, maxRestarts, newRun } = options;
  const here = rankHere();
  if (here) {
    throw new TransfusionError({
      code: 'RANKS_COMMAND',
      message: `--ranks ${ranks} starts ranks, and this is rank ${here.rank} of ${here.size} already`,
      fix: 'leave --ranks out where a launcher starts the command',
    });
  }
  const own = withoutOptions(options.argv, ['--ranks', '--max-restarts']);
  const begun = Date.now();
  const { code } = await superviseRanks({
    ranks,
    maxRestarts,
    signal: terminal.signal,
    log: (line) => terminal.log(line),
    command(restart) {
      const hasCheckpoint = restart > 0 && newRun !== undefined && isSavedSince(newRun, begun);
      const argv = hasCheckpoint ? goingOn(own, newRun) : own;
      return [process.execPath, ...process.execArgv, process.argv[1], ...argv];
    },
  });
  return code;
}

/** A run of that name may have been there before, which this one replaces. */
function isSavedSince(run: string, time: number): boolean {
  const saved = statSync(join(runFiles(run).model, STATE_FILE), { throwIfNoEntry: false });
  return saved !== undefined && saved.mtimeMs >= time;
}

/** The options that say how a run is carried out, beside what it is. */
const KEPT = ['--backend', '--threads', '--require-gpu', '--runs'];

/** The same command going on with a run; what the run is stands in its checkpoint. */
export function goingOn([command, ...options]: readonly string[], run: string): string[] {
  const kept: string[] = [];
  for (const [i, word] of options.entries()) {
    const [name] = word.split('=', 1);
    if (!KEPT.includes(name)) continue;
    kept.push(word);
    if (word === name && name !== '--require-gpu') kept.push(options[i + 1]);
  }
  return [command, '--resume', run, ...kept];
}

/** Without these options, each of which has a value. */
export function withoutOptions(argv: readonly string[], names: readonly string[]): string[] {
  return argv.filter((word, i) => {
    const [name] = word.split('=', 1);
    return !names.includes(name) && !names.includes(argv[i - 1] ?? '');
  });
}
