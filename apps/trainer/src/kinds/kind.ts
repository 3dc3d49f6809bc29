/** @file What a command needs to know of a kind of run; training, resuming, planning and reporting are the same for all. */
import type { ConfigSources, Terminal } from '@transfusion/app-common';
import type { Communicator } from '@transfusion/distributed';
import type { Backend } from '@transfusion/tensor';
import type { RankPlace, StepPlan, TrainingSession, TrainResult } from '@transfusion/training';
import type { LoadedRun, RunRecord } from '@transfusion/training/node';
import type { z } from 'zod';
import type { AnyRun } from '../config/resolve-config.js';

/** The configuration of any kind of run, as it is reported. */
export type AnyRunConfig = AnyRun & {
  name: string;
  checkpointEvery: number;
  logEvery: number;
  sample: { every: number };
};

export interface RunContext {
  /** Where decoded pictures are kept. */
  cacheFolder: string;
  /** Told what was skipped; its signal stops the reading. */
  terminal?: Pick<Terminal, 'log' | 'signal'>;
}

export interface OpenOptions<Loaded> extends RunContext {
  backend: Backend;
  resume?: Loaded;
  /** Told what the run will take, before any of it is allocated. */
  onPlan?: (plan: StepPlan) => void;
  /** Of the ranks that share the run. */
  communicator?: Communicator;
}

export interface PlanContext<Loaded> extends RunContext {
  resume?: Loaded;
  /** The rank whose memory it is, of those that would share the run. */
  place?: RankPlace;
}

/** A run with its data, on a backend. */
export interface OpenedRun<Config, Session extends TrainingSession> {
  config: Config;
  session: Session;
  record: RunRecord;
}

export interface Kind<Config extends AnyRunConfig, Session extends TrainingSession, Loaded extends LoadedRun<Config>> {
  schema: z.ZodType<Config>;
  presets: Readonly<Record<string, unknown>>;
  /** The configuration with what follows from files that it names. */
  complete?(config: Config, sources: ConfigSources): Promise<Config>;
  /** Loads the checkpoint of a run. */
  load(folder: string): Promise<Loaded>;
  open(config: Config, options: OpenOptions<Loaded>): Promise<OpenedRun<Config, Session>>;
  /** The resolved configuration, parameters, work and memory, without a device: as text. */
  plan(config: Config, context: PlanContext<Loaded>): Promise<string>;
  /** What it is trained on, for a person. */
  describe(run: OpenedRun<Config, Session>): string[];
  /** Beside the progress bar. */
  progress(logged: Record<string, number>): string;
  /** Writes what the model does as `PATH.png` and the like, and returns scores on what was held out. */
  sample(run: OpenedRun<Config, Session>, path: string, signal?: AbortSignal): Promise<Record<string, unknown>>;
  /** When all steps are done; a line for a person. */
  finish?(run: OpenedRun<Config, Session>, folder: string, signal: AbortSignal): Promise<string | undefined>;
}

export interface RunResult extends TrainResult {
  /** What `finish` said. */
  summary?: string;
}
