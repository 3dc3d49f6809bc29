/** @file A run's folder: its metrics, and its checkpoint, saved whole or not at all and loaded back bit by bit. */
import { access, mkdir } from 'node:fs/promises';
import type { FolderReader } from '@transfusion/checkpoint/node';
import { MetricsFile, saveAdapterFolder, saveModelFolder } from '@transfusion/checkpoint/node';
import {
  ADAPTER_CONFIG,
  ADAPTER_WEIGHTS,
  type PipelineConfig,
  parseTensorName,
  pipelineConfigSchema,
  upgradedConfig,
} from '@transfusion/sampler';
import { Tokenizer } from '@transfusion/tokenizer';
import {
  type AutoencoderConfig,
  importWeights,
  parseAutoencoderConfig,
  readCodecFolder,
  type StoredCodec,
} from '@transfusion/vae';
import { z } from 'zod';
import type { Progress, TrainingSinks } from '../loop.js';
import type { TrainingSession } from '../session.js';
import type { StateValues } from '../train-state.js';
import { type Fingerprint, fingerprintSchema } from './fingerprint.js';
import { openRun, type RunKind, STATE_FILE } from './open-run.js';
import { runFiles } from './run-files.js';

/** `trainer_state.json` */
export interface TrainerState<Config> extends Progress {
  config: Config;
  /** What it was trained on. */
  data?: Fingerprint;
  base?: RunBase;
}

/** The model that a run started from. */
export type RunBase = z.output<typeof baseSchema>;

const baseSchema = z.strictObject({
  path: z.string().describe('its folder, when the run started'),
  fingerprint: z.string().optional().describe('of its weights: see weightsFingerprint'),
});

const progressFields = {
  step: z.int().min(0).describe('optimizer steps done'),
  trainSeconds: z.number().min(0).describe('spent in them, over all sessions'),
  data: fingerprintSchema.optional().describe('what it was trained on'),
  base: baseSchema.optional().describe('the model that it started from'),
};

export interface RunRecord {
  kind: RunKind;
  /** The run's configuration: JSON. */
  config: unknown;
  data?: Fingerprint;
  base?: RunBase;
}

/**
 * Saves the weights to sample from (the moving average), and beside them all that resuming needs. With ranks, a call of all of them:
 * the first one writes.
 */
export async function saveRun(
  folder: string,
  session: TrainingSession,
  { kind, config, data, base }: RunRecord,
  progress: Progress,
): Promise<void> {
  await session.ranks?.settle();
  await session.ranks?.gatherAverages();
  const optimizer = await session.optimizerTensors();
  if (session.ranks && session.ranks.communicator.rank > 0) return;
  const { isAdapter, ...files } = await session.modelFiles();
  const saveFolder = isAdapter ? saveAdapterFolder : saveModelFolder;
  await saveFolder({
    path: runFiles(folder).model,
    ...files,
    trainer: {
      state: { ...(kind === 'transfusion' ? {} : { kind }), ...progress, config, data, base },
      optimizer,
    },
  });
}

/**
 * Where a session reports to in a run's folder: lines of `metrics.jsonl`, those after `start` cut off, and checkpoints. Where the
 * folder has a run that this one replaces, its first checkpoint is saved now, so that nobody goes on with the one before.
 */
export async function runFolderSinks(options: {
  folder: string;
  session: TrainingSession;
  record: RunRecord;
  start?: Progress;
}): Promise<Required<Pick<TrainingSinks, 'metrics' | 'save'>>> {
  const { folder, session, record, start } = options;
  const files = runFiles(folder);
  const save = (progress: Progress) => saveRun(folder, session, record, progress);
  const isFirst = !session.ranks || session.ranks.communicator.rank === 0;
  if (isFirst) await mkdir(folder, { recursive: true });
  // Before the lines of the run that is replaced go. With ranks, all save, or none.
  const replaces = !start && isFirst && (await exists(files.model));
  if (session.ranks ? await session.ranks.anyStops(replaces) : replaces) await save({ step: 0, trainSeconds: 0 });
  if (!isFirst) return { metrics() {}, save };
  const metrics = await MetricsFile.open(files.metrics, { resumeStep: start?.step ?? 0 });
  return { metrics: (line) => metrics.append(line), save };
}

export interface LoadedRun<Config> {
  state: TrainerState<Config>;
  /** The values to resume from. */
  values: StateValues;
}

export interface LoadedTransfusionRun<Config> extends LoadedRun<Config> {
  /** Undefined where the run trains a LoRA: then tokenizer and codec are those of the model that it started from. */
  tokenizer?: Tokenizer;
  /** Undefined where the model diffuses pixels. */
  codec?: StoredCodec;
  /** What the model has seen so far, and images of which sizes; undefined as the tokenizer is. */
  seen?: Pick<PipelineConfig, 'trainedOn' | 'image'>;
}

const seenSchema = z.looseObject({
  trainedOn: pipelineConfigSchema.shape.trainedOn,
  image: pipelineConfigSchema.shape.image,
});

/**
 * Loads the checkpoint of a Transfusion model's run.
 * @throws CheckpointError; TransfusionError RUN_NOT_RESUMABLE, RUN_KIND, CODEC_*
 */
export function loadTransfusionRun<Config>(
  folder: string,
  config: z.ZodType<Config>,
): Promise<LoadedTransfusionRun<Config>> {
  const schema = z.strictObject({ ...progressFields, config });
  return openRun(folder, 'transfusion', async (reader) => {
    const state = (await reader.readJson(STATE_FILE, schema)) as TrainerState<Config>;
    const values = await optimizerValues(reader);
    if (await reader.has(ADAPTER_CONFIG)) {
      for (const [name, { data }] of await reader.readTensors(ADAPTER_WEIGHTS)) {
        const { path, which } = parseTensorName(name) ?? { path: name, which: '' };
        values.set(`ema.${path}.${which}`, data);
      }
      return { state, values };
    }
    const tokenizer = new Tokenizer(await reader.readText('tokenizer.json'));
    for (const [name, { data }] of await reader.readTensors('model.safetensors')) values.set(`ema.${name}`, data);
    const hasCodec = await reader.has('vae/config.json');
    const { trainedOn, image } = seenSchema.parse(upgradedConfig(await reader.readJson('config.json', z.unknown())));
    const codec = hasCodec ? { codec: await readCodecFolder(reader, 'vae') } : {};
    return { state, tokenizer, values, seen: { trainedOn, image }, ...codec };
  });
}

export interface LoadedAutoencoderRun<Config> extends LoadedRun<Config> {
  autoencoder: AutoencoderConfig;
}

/** `trainer_state.json` of an autoencoder's run. */
export function autoencoderStateSchema<Config>(config: z.ZodType<Config>) {
  return z.strictObject({ kind: z.literal('autoencoder').describe('of run'), ...progressFields, config });
}

/**
 * Loads the checkpoint of an autoencoder's run.
 * @throws CheckpointError; TransfusionError RUN_NOT_RESUMABLE, RUN_KIND, CODEC_*
 */
export function loadAutoencoderRun<Config>(
  folder: string,
  config: z.ZodType<Config>,
): Promise<LoadedAutoencoderRun<Config>> {
  return openRun(folder, 'autoencoder', async (reader) => {
    const state = (await reader.readJson(STATE_FILE, autoencoderStateSchema(config))) as TrainerState<Config>;
    const autoencoder = parseAutoencoderConfig(
      await reader.readJson('config.json', z.unknown()),
      `${reader.path}/config.json`,
    );
    const values = await optimizerValues(reader);
    const averaged = importWeights({
      config: autoencoder,
      tensors: await reader.readTensors('model.safetensors'),
      where: `${reader.path}/model.safetensors`,
    });
    for (const [path, data] of averaged) values.set(`ema.${path}`, data);
    return { state, autoencoder, values };
  });
}

/**
 * Reads a run whose model's tensors have the names of its parameters: state and values; the rest of the model is the caller's to read.
 * @throws CheckpointError; TransfusionError CONFIG_INVALID
 */
export async function readNamedRun<Config>(
  reader: FolderReader,
  kind: Exclude<RunKind, 'transfusion'>,
  config: z.ZodType<Config>,
): Promise<LoadedRun<Config>> {
  const schema = z.strictObject({ kind: z.literal(kind), ...progressFields, config });
  const state = (await reader.readJson(STATE_FILE, schema)) as TrainerState<Config>;
  const values = await optimizerValues(reader);
  for (const [name, { data }] of await reader.readTensors('model.safetensors')) values.set(`ema.${name}`, data);
  return { state, values };
}

/** Names of earlier versions. */
const RENAMED: Readonly<Record<string, string>> = { uses: 'counters.uses' };

async function optimizerValues(reader: FolderReader): Promise<Map<string, Float32Array>> {
  const tensors = await reader.readTensors('optimizer.safetensors');
  return new Map([...tensors].map(([name, { data }]) => [RENAMED[name] ?? name, data]));
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
