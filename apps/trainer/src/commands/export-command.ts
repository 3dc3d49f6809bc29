/** @file `trainer export`: a run's model without what only training needs, its weights in half the bytes; and SHA256SUMS. */
import { posix, win32 } from 'node:path';
import type { Terminal } from '@transfusion/app-common';
import type { ShortDtype, Tensors } from '@transfusion/checkpoint';
import {
  checkWritableFolder,
  type FolderReader,
  openCheckpoint,
  saveAdapterFolder,
  saveModelFolder,
  type TensorMap,
  writeSums,
} from '@transfusion/checkpoint/node';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS } from '@transfusion/sampler';
import { refuseCheckpoint, runFiles } from '@transfusion/training/node';
import { z } from 'zod';

export interface ExportCommandOptions {
  /** Folder of a run. */
  run: string;
  out: string;
  /** Keep 32 bits for every weight. */
  f32?: boolean;
}

/** What made a model, in its folder. */
export const TRAINING_FILE = 'training.json';

/** @throws CheckpointError; TransfusionError OUTPUT_EXISTS, RUN_NOT_RESUMABLE: `run` is the folder inside of one */
export async function exportCommand({ run, out, f32 }: ExportCommandOptions, terminal: Terminal): Promise<void> {
  await checkWritableFolder(out);
  await refuseCheckpoint(run);
  const model = await openCheckpoint(runFiles(run).model, readModel);
  const stored = (tensors: Tensors) => storedAs(tensors, f32 ? undefined : 'F16');
  const { vae, tensors, isAdapter, ...rest } = model;
  if (isAdapter) await saveAdapterFolder({ ...rest, path: out, tensors: stored(tensors) });
  else
    await saveModelFolder({
      ...rest,
      path: out,
      tensors: stored(tensors),
      ...(vae ? { vae: { ...vae, tensors: stored(vae.tensors) } } : {}),
    });
  await writeSums(out);
  const values = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
  terminal.out(`${out}: ${((values * (f32 ? 4 : 2)) / 1e6).toFixed(1)} MB of weights in ${f32 ? 'f32' : 'f16'}`);
}

/** A model, or a LoRA. */
interface ExportedFiles {
  config: unknown;
  tensors: Tensors;
  tokenizer?: unknown;
  vae?: { config: unknown; tensors: Tensors };
  files: Record<string, string>;
  isAdapter: boolean;
}

async function readModel(reader: FolderReader): Promise<ExportedFiles> {
  const json = (name: string) => reader.readJson(name, z.unknown());
  if (await reader.has(ADAPTER_CONFIG)) {
    const tensors = await reader.readTensors(ADAPTER_WEIGHTS);
    return { config: await json(ADAPTER_CONFIG), tensors, files: await trainingFile(reader), isAdapter: true };
  }
  const vae = (await reader.has('vae/config.json'))
    ? { config: await json('vae/config.json'), tensors: await reader.readTensors('vae/model.safetensors') }
    : undefined;
  return {
    config: await json('config.json'),
    tensors: await reader.readTensors('model.safetensors'),
    tokenizer: (await reader.has('tokenizer.json')) ? await json('tokenizer.json') : undefined,
    vae,
    files: await trainingFile(reader),
    isAdapter: false,
  };
}

/** Tensors to write. @param dtype undefined: as they are */
export function storedAs(
  tensors: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>,
  dtype: ShortDtype | undefined,
): TensorMap {
  const short = dtype && { dtype };
  return new Map([...tensors].map(([name, { shape, data }]) => [name, { shape: [...shape], data, ...short }]));
}

/** How a model was trained, without what only going on needs. */
export async function trainingFile(reader: FolderReader): Promise<Record<string, string>> {
  const name = (await reader.has('trainer_state.json')) ? 'trainer_state.json' : TRAINING_FILE;
  if (!(await reader.has(name))) return {};
  const state = await reader.readJson(name, z.unknown());
  return { [TRAINING_FILE]: `${JSON.stringify(state, withoutPlaces, 2)}\n` };
}

/** Fields that name a model to start from, or its autoencoder: of a configuration, and of what a state says of its base. */
const MODELS: readonly string[] = ['finetune', 'codec', 'path'];

/**
 * Where things lay on the machine that trained is nothing that was learned: of a model's path from the root what is behind the folder of
 * runs, or its last part. Latents that were encoded beforehand change nothing. Where data lie is kept: `reconstruct` looks for them.
 */
function withoutPlaces(key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (key === 'latents') return null;
  if (!MODELS.includes(key) || (!posix.isAbsolute(value) && !win32.isAbsolute(value))) return value;
  const parts = value.split(/[\\/]/);
  const runs = parts.lastIndexOf('runs');
  return runs < 0 ? parts.at(-1) : parts.slice(runs).join('/');
}
