/** @file `trainer train` and `trainer vae`: start a run of a kind, resume one, or say what one would take. */
import { join } from 'node:path';
import {
  type BackendChoice,
  type ConfigSources,
  formatSeconds,
  localModel,
  openBackend,
  type Terminal,
} from '@transfusion/app-common';
import { TransfusionError } from '@transfusion/core';
import {
  checkRanks,
  describeMemory,
  learningRateAdvice,
  type Optimisation,
  type StepPlan,
  type TrainingSession,
} from '@transfusion/training';
import { type LoadedRun, runFiles } from '@transfusion/training/node';
import { resolveConfig } from '../config/resolve-config.js';
import { alreadyDone, refuseExisting, resumedConfig } from '../config/resumed-config.js';
import type { AnyRunConfig, Kind, OpenedRun, RunResult } from '../kinds/kind.js';
import { trainRun } from '../kinds/train-run.js';
import { backendOfRank, openRanks, rankHere } from '../ranks.js';
import { profileTraining } from '../report/profile.js';

export interface TrainCommandOptions extends ConfigSources {
  /** Where runs are kept. */
  runs: string;
  /** Folder of a run to go on with. */
  resume?: string;
  /** Model to start from: a folder, or an address of the hub. */
  finetune?: string;
  /** Start over where there is a run of that name. */
  overwrite?: boolean;
  dryRun?: boolean;
  /** With `dryRun`: how many ranks would share the run. */
  ranks?: number;
  /** Take the times of some steps instead of training. */
  profile?: boolean;
  backend: BackendChoice;
}

export async function trainCommand<
  Config extends AnyRunConfig,
  Session extends TrainingSession,
  Loaded extends LoadedRun<Config>,
>(
  kind: Kind<Config, Session, Loaded>,
  options: TrainCommandOptions,
  terminal: Terminal,
): Promise<RunResult | undefined> {
  if (options.resume !== undefined && options.finetune !== undefined) throw notBoth(options.resume, options.finetune);
  if (options.resume !== undefined && options.overwrite) {
    throw new TransfusionError({
      code: 'CONFIG_RESUME',
      message: `--resume ${options.resume} goes on with a run, --overwrite starts one over`,
      fix: 'give one of them',
    });
  }
  const resume = options.resume === undefined ? undefined : await kind.load(options.resume);
  const config = resume
    ? await withLocalBase(resumedConfig(kind.schema, resume.state.config, options), terminal)
    : await startedConfig(kind, options, terminal);
  const folder = options.resume ?? join(options.runs, config.name);
  const context = { cacheFolder: join(options.runs, '..', '.cache', 'data'), terminal };
  if (options.dryRun) {
    const size = options.ranks ?? rankHere()?.size;
    terminal.out(
      await kind.plan(config, { ...context, resume, place: size === undefined ? undefined : { rank: 0, size } }),
    );
    return undefined;
  }
  checkRanks(config as Pick<Optimisation, 'diloco' | 'exchange'>, rankHere() !== undefined);
  const communicator = await openRanks(terminal);
  const isFirst = (communicator?.rank ?? 0) === 0;
  if (!resume && !options.overwrite && !options.profile && isFirst) await refuseExisting(folder);
  // Nobody makes files before the first one has looked.
  await communicator?.barrier();
  const backend = await openBackend(backendOfRank(options.backend, communicator), terminal);
  try {
    const onPlan = (plan: StepPlan) => terminal.log(describeMemory(plan));
    const run = await kind.open(config, { ...context, backend, onPlan, resume, communicator });
    try {
      terminal.log(`kernels ready in ${backend.stats().buildSeconds.toFixed(1)} s`);
      if (options.profile) {
        terminal.out(await profileTraining(run.session, join(folder, 'profile'), resume?.state.step ?? 0));
        return undefined;
      }
      return await trainAndTell(kind, run, { folder, start: resume?.state, terminal });
    } finally {
      run.session.dispose();
    }
  } finally {
    await backend.dispose();
  }
}

/** The folder that a new run will have; undefined where one is gone on with. */
export async function newRunFolder<Config extends AnyRunConfig>(
  kind: Pick<Kind<Config, TrainingSession, LoadedRun<Config>>, 'schema' | 'presets' | 'complete'>,
  options: TrainCommandOptions,
  terminal: Terminal,
): Promise<string | undefined> {
  if (options.resume !== undefined) return undefined;
  return join(options.runs, (await startedConfig(kind, options, terminal)).name);
}

async function startedConfig<Config extends AnyRunConfig>(
  kind: Pick<Kind<Config, TrainingSession, LoadedRun<Config>>, 'schema' | 'presets' | 'complete'>,
  { finetune, ...options }: TrainCommandOptions,
  terminal: Terminal,
): Promise<Config> {
  const start = finetune === undefined ? [] : [`finetune=${JSON.stringify(finetune)}`];
  const sources = { ...options, set: [...(options.set ?? []), ...start] };
  const config = await withLocalBase(await resolveConfig(kind, sources), terminal);
  return kind.complete ? kind.complete(config, sources) : config;
}

/** With the folder that the model to start from is in: a run goes on with the commit that it began with. */
async function withLocalBase<Config extends AnyRunConfig>(config: Config, terminal: Terminal): Promise<Config> {
  const { finetune } = config as { finetune?: string | null };
  return finetune ? { ...config, finetune: await localModel(finetune, terminal) } : config;
}

function notBoth(resume: string, finetune: string): TransfusionError {
  return new TransfusionError({
    code: 'CONFIG_RESUME',
    message: `--resume ${resume} goes on with a run, --finetune ${finetune} starts one`,
    fix: 'give one of them; where the model of a LoRA has moved: --resume RUN --set finetune=FOLDER',
  });
}

async function trainAndTell<Config extends AnyRunConfig, Session extends TrainingSession>(
  kind: Kind<Config, Session, LoadedRun<Config>>,
  run: OpenedRun<Config, Session>,
  { folder, start, terminal }: { folder: string; start?: { step: number; trainSeconds: number }; terminal: Terminal },
): Promise<RunResult> {
  const { config, session } = run;
  for (const line of [...learningRateAdvice(config), ...kind.describe(run)]) terminal.log(line);
  if (start && start.step >= config.steps) terminal.log(alreadyDone(start.step, config.steps));
  const amounts = Object.entries(session.perStep).map(([what, amount]) => `${amount} ${what}`);
  terminal.log(`${folder}: ${config.steps} steps of ${amounts.join(', ')}; Ctrl-C saves and leaves`);
  const result = await trainRun(kind, run, { folder, start, signal: terminal.signal });
  const left = result.finished ? '' : `; go on with --resume ${folder}`;
  terminal.log(
    `saved ${runFiles(folder).model} at step ${result.step} after ${formatSeconds(result.trainSeconds)}${left}`,
  );
  if (result.summary !== undefined) terminal.out(result.summary);
  return result;
}
