/** @file `trainer export`: a run's model without what only training needs, its weights in half the bytes. */
import { join } from 'node:path';
import { checkWritableFolder, type Terminal } from '@transfusion/app-common';
import type { Tensors } from '@transfusion/checkpoint';
import { type FolderReader, openCheckpoint, saveModelFolder, type TensorMap } from '@transfusion/checkpoint/node';
import { z } from 'zod';
import { runFiles } from '../train/run-folder.js';

export interface ExportCommandOptions {
  /** Folder of a run. */
  run: string;
  out: string;
  /** Keep 32 bits for every weight. */
  f32?: boolean;
}

/** What made a model, in its folder. */
export const TRAINING_FILE = 'training.json';

/** @throws CheckpointError; TransfusionError OUTPUT_EXISTS */
export async function exportCommand({ run, out, f32 }: ExportCommandOptions, terminal: Terminal): Promise<void> {
  await checkWritableFolder(out);
  const stored = (tensors: Tensors): TensorMap =>
    new Map([...tensors].map(([name, tensor]) => [name, f32 ? tensor : { ...tensor, dtype: 'F16' as const }]));
  const bytes = await openCheckpoint(runFiles(run).model, async (reader) => {
    const json = (name: string) => reader.readJson(name, z.unknown());
    const weights = (name: string) => reader.readTensors(name).then(stored);
    const tensors = await weights('model.safetensors');
    await saveModelFolder({
      path: out,
      config: await json('config.json'),
      tensors,
      ...((await reader.has('tokenizer.json')) ? { tokenizer: await json('tokenizer.json') } : {}),
      ...((await reader.has('vae/config.json'))
        ? { vae: { config: await json('vae/config.json'), tensors: await weights('vae/model.safetensors') } }
        : {}),
      files: await trainingFile(reader),
    });
    return [...tensors.values()].reduce((sum, { data }) => sum + data.length * (f32 ? 4 : 2), 0);
  });
  terminal.out(
    `${out}: ${(bytes / 1e6).toFixed(1)} MB of weights in ${f32 ? 'f32' : 'f16'}; see ${join(out, TRAINING_FILE)}`,
  );
}

async function trainingFile(reader: FolderReader): Promise<Record<string, string>> {
  if (!(await reader.has('trainer_state.json'))) return {};
  const state = await reader.readJson('trainer_state.json', z.unknown());
  return { [TRAINING_FILE]: `${JSON.stringify(state, null, 2)}\n` };
}
