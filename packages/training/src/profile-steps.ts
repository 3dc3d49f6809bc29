/** @file Where the time of training steps goes. */
import type { TrainingSession } from './session.js';
import type { ProgramProfile } from './step-programs.js';

/** Steps before the profiled ones, in which memory and caches settle. */
const WARM_UP_STEPS = 2;
const PROFILED_STEPS = 5;

export interface StepsProfile {
  /** Of a step without profiling. */
  milliseconds: number;
  /** Steps that were profiled. */
  steps: number;
  /** Every kernel waited for, one list of times for each run of a program. */
  programs: ProgramProfile[];
}

/** Trains some steps from `firstStep`, counted from 0, and takes the times of their kernels. */
export async function profileSteps(session: TrainingSession, firstStep: number): Promise<StepsProfile> {
  const { runner } = session;
  let step = firstStep;
  for (; step < firstStep + WARM_UP_STEPS; step++) await runner.run(step + 1, await session.batches(step));
  const begun = performance.now();
  for (const last = step + PROFILED_STEPS; step < last; step++) await runner.run(step + 1, await session.batches(step));
  const milliseconds = (performance.now() - begun) / PROFILED_STEPS;
  const programs: ProgramProfile[] = [];
  for (const last = step + PROFILED_STEPS; step < last; step++) {
    merge(programs, await runner.profile(step + 1, await session.batches(step)));
  }
  return { milliseconds, steps: PROFILED_STEPS, programs };
}

function merge(all: ProgramProfile[], latest: ProgramProfile[]): void {
  for (const profile of latest) {
    const known = all.find(({ program }) => program === profile.program);
    if (known) known.runs.push(...profile.runs);
    else all.push(profile);
  }
}
