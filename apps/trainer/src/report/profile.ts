/** @file `--profile`: where the time of a training step goes, by kind of kernel, and when each kernel ran. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromeTrace, formatProfile, summarise } from '@transfusion/tensor';
import { profileSteps, type TrainingSession } from '@transfusion/training';

/** Profiles a few steps; with ranks all do, and the first tells. Writes a Chrome trace for each program into the folder, and tells about both. */
export async function profileTraining(session: TrainingSession, folder: string, firstStep: number): Promise<string> {
  const { milliseconds, steps, programs } = await profileSteps(session, firstStep);
  if (session.ranks && session.ranks.communicator.rank > 0) return '';
  await mkdir(folder, { recursive: true });
  const parts = [`a step takes ${milliseconds.toFixed(1)} ms; kernels one at a time, median of ${steps} steps:`];
  for (const { program, runs, clock } of programs) {
    const file = join(folder, `trace-${program.name.replaceAll(' ', '-')}.json`);
    await writeFile(file, JSON.stringify(chromeTrace(program, runs)));
    const trace = `trace for chrome://tracing or ui.perfetto.dev: ${file}`;
    parts.push(`${program.name} (${clock})`, formatProfile(summarise(program, runs)), trace);
  }
  return parts.join('\n\n');
}
