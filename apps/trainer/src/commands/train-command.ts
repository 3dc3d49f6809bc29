/** @file `trainer train`: start a run, resume one, or say what one would take. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type BackendChoice, formatSeconds, openBackend, type Terminal } from '@transfusion/app-common';
import { TransfusionError } from '@transfusion/tensor';
import { type ConfigSources, changeConfig, resolveConfig } from '../config/resolve-config.js';
import { describeRun } from '../train/dry-run.js';
import { describeMemory, type StepPlan } from '../train/plan-step.js';
import { profileTraining } from '../train/profile.js';
import { type LoadedRun, loadRun, runFiles } from '../train/run-folder.js';
import { openSession } from '../train/session.js';
import { type TrainResult, train } from '../train/train.js';

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
  const config = resumed ? await resumedConfig(resumed, options) : await resolveConfig(options);
  const folder = options.resume ?? join(options.runs, config.name);
  const cacheFolder = join(options.runs, '..', '.cache', 'data');
  if (options.dryRun) {
    terminal.out(await describeRun(config, { cacheFolder }));
    return undefined;
  }
  if (!resumed && !options.overwrite && !options.profile) await refuseExisting(folder);
  const backend = await openBackend(options.backend, terminal);
  try {
    const onPlan = (plan: StepPlan) => terminal.log(describeMemory(plan));
    const session = await openSession({ config, backend, cacheFolder, onPlan, resume: resumed });
    try {
      terminal.log(`kernels ready in ${backend.stats().buildSeconds.toFixed(1)} s`);
      if (options.profile) {
        terminal.out(await profileTraining(session, join(folder, 'profile'), resumed?.state.step ?? 0));
        return undefined;
      }
      const { rows, sequenceLength } = session.options.batch;
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

/** A resumed run keeps its configuration; only fields that do not change what was computed may be set anew. */
async function resumedConfig({ state }: LoadedRun, { preset, file, set = [] }: TrainCommandOptions) {
  const harmless = ['steps', 'checkpointEvery', 'logEvery', 'sample.every', 'sample.images'];
  const refused = set.find((assignment) => !harmless.includes(assignment.split('=')[0]));
  if (preset !== undefined || file !== undefined || refused !== undefined) {
    throw new TransfusionError({
      code: 'CONFIG_RESUME',
      message: `a resumed run keeps its configuration; got ${refused ?? preset ?? file}`,
      fix: `with --resume, only these may be set: ${harmless.join(', ')}`,
    });
  }
  return changeConfig(state.config, set);
}

async function refuseExisting(folder: string): Promise<void> {
  const exists = await access(runFiles(folder).model).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  throw new TransfusionError({
    code: 'RUN_EXISTS',
    message: `${folder} already holds a run`,
    fix: `go on with --resume ${folder}, start over with --overwrite, or choose another name with --set name=...`,
  });
}
