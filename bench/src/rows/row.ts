/** @file What a row of the bench is: one piece of work, written once for each engine. */
import {
  type ChromeTrace,
  chromeTrace,
  formatProfile,
  type KernelSpan,
  type Program,
  summarise,
} from '@transfusion/tensor';
import type { ApiName, BackendName, EngineApis, OpenEngine } from '../engines/engine.js';

/** The work of a row, ready to run in one engine: inputs in place. */
export interface Task {
  /** Does the work `times` times and returns when all of it is done. */
  run(times: number): Promise<void>;
  /** Seconds that the host was busy in since the last call, where a row measures that instead of the whole. */
  hostSeconds?(): number;
  /** Numbers that all engines must agree on. Called when the work has been run twice. */
  check(): Promise<Float32Array>;
  /**
   * Other ways to do the same work in the same process, by name, measured as rivals are: what a row compares where no
   * other engine has the like, or a bound of what is possible. Each does it `times` times.
   */
  beside?: Partial<Record<string, (times: number) => Promise<void>>>;
  /** The most device memory that the work has taken so far. */
  deviceBytes?(): Promise<number | undefined>;
  /** Where the time of one run goes, in our engine. */
  profile?(): Promise<Profile>;
}

export interface Profile {
  /** For people. */
  table: string;
  /** In the Trace Event Format. */
  trace: ChromeTrace;
}

/** The profile of some runs of a program. `clock`: how the times were taken. */
export function profileOf({
  program,
  runs,
  clock,
}: {
  program: Program;
  runs: KernelSpan[][];
  clock: string;
}): Profile {
  return { table: `${clock}\n${formatProfile(summarise(program, runs))}`, trace: chromeTrace(program, runs) };
}

/** Profiles some runs of a compiled function. */
export async function profileRuns(
  { program }: { program: Program },
  run: () => Promise<{ spans: KernelSpan[]; clock: string }>,
): Promise<Profile> {
  const runs: KernelSpan[][] = [];
  let clock = '';
  for (let i = 0; i < PROFILED_RUNS; i++) {
    const profiled = await run();
    runs.push(profiled.spans);
    clock = profiled.clock;
  }
  return profileOf({ program, runs, clock });
}

export const PROFILED_RUNS = 5;

export interface Row<Problem = unknown> {
  /** Its name in the results and for `--only`. */
  name: string;
  /** For a person: what is done. */
  title(problem: Problem): string;
  /** What is counted per second. */
  unit: string;
  /** The work's sizes and numbers, the same in every process. `reduced`: less of it, for software adapters and `--quick`. */
  problem(reduced: boolean): Problem;
  /** Where it makes sense; absent: everywhere. */
  backends?: readonly BackendName[];
  /** Too much for a software adapter: only with `--gpu`, or by name. */
  gpuOnly?: boolean;
  /** How a reduced problem differs; absent where it does not. */
  reduced?: string;
  /** Units of one run. */
  work(problem: Problem): number;
  /** Floating-point operations of one run, where the unit is not GFLOP/s. */
  flops?(problem: Problem): number;
  /** The most that the numbers of `check` may differ between engines, relative to its root mean square. */
  tolerance: number;
  /** One implementation per engine. An engine that cannot do it throws an Error that says why. */
  engines: { [Name in ApiName]?: (api: EngineApis[Name], problem: Problem) => Promise<Task> };
}

/** Checks a row's types; rows with different problems can then stand in one list. */
export function defineRow<Problem>(row: Row<Problem>): Row {
  return row as Row;
}

/** Readies a row in an engine. @throws Error that says why the engine cannot do it */
export async function prepare(row: Row, engine: OpenEngine, problem: unknown): Promise<Task> {
  const implementation = row.engines[engine.name] as ((api: unknown, problem: unknown) => Promise<Task>) | undefined;
  if (!implementation) throw new Error('this row is not written for it');
  return implementation(engine.api, problem);
}
