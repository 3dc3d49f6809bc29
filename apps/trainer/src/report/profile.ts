/** @file `--profile`: where the time of a training step goes, by kind of kernel, and when each kernel ran. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromeTrace, formatProfile, summarise } from '@transfusion/tensor';
import type { ProgramProfile, TrainingSession } from '@transfusion/training';

/** Steps before the profiled ones, in which memory and caches settle. */
const WARM_UP_STEPS = 2;
const PROFILED_STEPS = 5;

/** Runs a few steps of the session, writes a Chrome trace for each program into the folder, and tells about both. */
export async function profileTraining(session: TrainingSession, folder: string, firstStep: number): Promise<string> {
  const { runner } = session;
  let step = firstStep;
  for (; step < firstStep + WARM_UP_STEPS; step++) await runner.run(step + 1, session.batches(step));
  const begun = performance.now();
  for (const last = step + PROFILED_STEPS; step < last; step++) await runner.run(step + 1, session.batches(step));
  const milliseconds = (performance.now() - begun) / PROFILED_STEPS;
  const profiles: ProgramProfile[] = [];
  for (const last = step + PROFILED_STEPS; step < last; step++) {
    merge(profiles, await runner.profile(step + 1, session.batches(step)));
  }
  await mkdir(folder, { recursive: true });
  const parts = [
    `a step takes ${milliseconds.toFixed(1)} ms; kernels one at a time, median of ${PROFILED_STEPS} steps:`,
  ];
  for (const { program, runs, clock } of profiles) {
    const file = join(folder, `trace-${program.name.replaceAll(' ', '-')}.json`);
    await writeFile(file, JSON.stringify(chromeTrace(program, runs)));
    parts.push(
      `${program.name} (${clock})`,
      formatProfile(summarise(program, runs)),
      `trace for chrome://tracing or ui.perfetto.dev: ${file}`,
    );
  }
  return parts.join('\n\n');
}

function merge(all: ProgramProfile[], latest: ProgramProfile[]): void {
  for (const profile of latest) {
    const known = all.find(({ program }) => program === profile.program);
    if (known) known.runs.push(...profile.runs);
    else all.push(profile);
  }
}
