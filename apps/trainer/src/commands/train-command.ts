/** @file `trainer train`: start a run, resume one, or say what one would take. */
import { join } from 'node:path';
import { type BackendChoice, formatSeconds, openBackend, type Terminal } from '@transfusion/app-common';
import { learningRateAdvice } from '../config/learning-rate.js';
import { type ConfigSources, resolveConfig, transfusionRuns } from '../config/resolve-config.js';
import { runConfigSchema } from '../config/run-config.js';
import { describeRun } from '../train/dry-run.js';
import { describeMemory, type StepPlan } from '../train/planning-backend.js';
import { profileTraining } from '../train/profile.js';
import { runFiles } from '../train/run-files.js';
import { loadRun } from '../train/run-folder.js';
import { openSession, type TrainingSession } from '../train/session.js';
import { type TrainResult, train } from '../train/train.js';
import { alreadyDone, refuseExisting, resumedConfig } from './resumed-config.js';

export interface TrainCommandOptions extends ConfigSources {
  /** Where runs are kept. */
  runs: string;
  /** Folder of a run to go on with. */
  resume?: string;
  /** Start over where there is a run of that name. */
  overwrite?: boolean;
  dryRun?: boolean;
  /** Take the times of some steps instead of training. */
  profile?: boolean;
  backend: BackendChoice;
}

export async function trainCommand(options: TrainCommandOptions, terminal: Terminal): Promise<TrainResult | undefined> {
  const resumed = options.resume === undefined ? undefined : await loadRun(options.resume);
  const config = resumed
    ? resumedConfig(runConfigSchema, resumed.state.config, options)
    : await resolveConfig(transfusionRuns, options);
  const folder = options.resume ?? join(options.runs, config.name);
  const cacheFolder = join(options.runs, '..', '.cache', 'data');
  if (options.dryRun) {
    terminal.out(await describeRun(config, { cacheFolder, terminal }));
    return undefined;
  }
  if (!resumed && !options.overwrite && !options.profile) await refuseExisting(folder);
  const backend = await openBackend(options.backend, terminal);
  try {
    const onPlan = (plan: StepPlan) => terminal.log(describeMemory(plan));
    const session = await openSession({ config, backend, cacheFolder, terminal, onPlan, resume: resumed });
    try {
      terminal.log(`kernels ready in ${backend.stats().buildSeconds.toFixed(1)} s`);
      if (options.profile) {
        terminal.out(await profileTraining(session, join(folder, 'profile'), resumed?.state.step ?? 0));
        return undefined;
      }
      for (const advice of learningRateAdvice(config)) terminal.log(advice);
      const { rows, sequenceLength } = session.options.batch;
      terminal.log(describeData(session));
      if (resumed && resumed.state.step >= config.steps) terminal.log(alreadyDone(resumed.state.step, config.steps));
      terminal.log(`${folder}: ${config.steps} steps of ${rows} x ${sequenceLength} tokens; Ctrl-C saves and leaves`);
      const result = await train({ session, folder, start: resumed?.state, signal: terminal.signal });
      const left = result.finished ? '' : `; go on with --resume ${folder}`;
      terminal.log(
        `saved ${runFiles(folder).model} at step ${result.step} after ${formatSeconds(result.trainSeconds)}${left}`,
      );
      return result;
    } finally {
      session.dispose();
    }
  } finally {
    await backend.dispose();
  }
}

function describeData({ examples, texts }: TrainingSession): string {
  const counts = ({ train, heldOut }: { train: unknown[]; heldOut: unknown[] }, what: string) =>
    train.length + heldOut.length > 0 ? [`${train.length} ${what} to train on, ${heldOut.length} held out`] : [];
  return [...counts(examples, 'pictures'), ...counts(texts, 'rows of plain text')].join('; ');
}
