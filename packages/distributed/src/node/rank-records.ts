/**
 * @file What became of each rank of this machine. Launchers tell it in words of their own, or not at all, so each rank is started by a
 * few lines of shell that write down its process, and how it ended.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';

/** `status` as a shell has it: 128 and more is a signal. */
export interface RankEnd {
  rank: number;
  status: number;
}

/**
 * The outer shell outlives signals, which the rank answers by itself; the inner one becomes the rank. On another machine, without the
 * folder, nothing is written.
 */
const SCRIPT = `
folder=$1; shift
rank=\${OMPI_COMM_WORLD_RANK:-\${PMI_RANK:-\${PMIX_RANK:-0}}}
trap : INT TERM HUP
sh -c 'test -d "\${0%/*}" && echo $$ > "$0"; exec "$@"' "$folder/$rank.pid" "$@"
status=$?
test -d "$folder" && echo "$rank $status" >> "$folder/ended"
exit $status`;

export class RankRecords {
  readonly #folder = mkdtempSync(join(tmpdir(), 'transfusion-ranks-'));

  /** Runs a command as a rank. */
  wrap(command: readonly string[]): string[] {
    return ['/bin/sh', '-c', SCRIPT, 'rank', this.#folder, ...command];
  }

  /** In the order in which they ended: what came first is the cause of the rest. */
  ended(): RankEnd[] {
    return this.#lines('ended').map((line) => {
      const [rank, status] = line.split(' ').map(Number);
      return { rank, status };
    });
  }

  /** Sends a signal to every rank of this machine that has not ended; how many there were. */
  signal(name: NodeJS.Signals): number {
    const ended = new Set(this.ended().map(({ rank }) => rank));
    let count = 0;
    for (const file of readdirSync(this.#folder)) {
      const rank = /^(\d+)\.pid$/.exec(file)?.[1];
      const pid = rank === undefined || ended.has(Number(rank)) ? 0 : Number(this.#lines(file)[0]);
      if (pid > 1 && trySignal(pid, name)) count++;
    }
    return count;
  }

  /** Ends what is left of the ranks, and forgets all. */
  remove(): void {
    this.signal('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #lines(file: string): string[] {
    try {
      return readFileSync(join(this.#folder, file), 'utf8').trimEnd().split('\n');
    } catch {
      return [];
    }
  }
}

/** Whether there was somebody to get it. */
export function trySignal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** `was killed by SIGKILL`, `ended with 3`. */
export function describeStatus(status: number): string {
  const signal = Object.entries(constants.signals).find(([, number]) => number === status - 128)?.[0];
  return signal === undefined ? `ended with ${status}` : `was killed by ${signal}`;
}
