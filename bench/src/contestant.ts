/** @file A contestant in the rounds of a row: how often a repeat does the work, what its repeats took. */
import { median } from './statistics.js';

/** One engine's speed in a row. */
export interface Speed {
  description: string;
  /** Units per second, of the median repeat. */
  value: number;
  /** The slowest and the fastest repeat. */
  range: [number, number];
  repeats: number;
}

export interface Pace {
  /** Repeats, at most. */
  repeats: number;
  /** A repeat does the work so often that it takes about this long. */
  repeatSeconds: number;
  /** No repeat is begun that would probably end after this much measured time; one is run in any case. */
  engineSeconds: number;
}

const MOST_RUNS_PER_REPEAT = 1000;

/** What a contestant runs: an engine's process, or something beside it in the same process. */
export interface Runner {
  /** @returns seconds for all of `times` runs */
  run(times: number): Promise<number>;
}

export class Contestant {
  readonly #secondsPerRun: number[] = [];
  #runsPerRepeat = 1;
  #spent = 0;

  constructor(
    readonly runner: Runner,
    readonly description: string,
  ) {}

  /** The first run after preparing: sets the length of repeats, and is as good as one where it is long enough. */
  async firstRun({ repeatSeconds }: Pace): Promise<void> {
    const seconds = await this.runner.run(1);
    this.#runsPerRepeat = Math.max(1, Math.min(MOST_RUNS_PER_REPEAT, Math.round(repeatSeconds / seconds)));
    if (this.#runsPerRepeat === 1) this.#record(seconds);
  }

  /** A repeat, unless there have been enough. */
  async repeat({ repeats, engineSeconds }: Pace): Promise<void> {
    const done = this.#secondsPerRun.length;
    if (done >= repeats || (done > 0 && (this.#spent * (done + 1)) / done > engineSeconds)) return;
    this.#record(await this.runner.run(this.#runsPerRepeat));
  }

  speed(work: number): Speed {
    const seconds = this.#secondsPerRun;
    return {
      description: this.description,
      value: work / median(seconds),
      range: [work / Math.max(...seconds), work / Math.min(...seconds)],
      repeats: seconds.length,
    };
  }

  #record(seconds: number): void {
    this.#secondsPerRun.push(seconds / this.#runsPerRepeat);
    this.#spent += seconds;
  }
}
