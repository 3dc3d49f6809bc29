/** @file The files of an autoencoder's run, and its checkpoint: an autoencoder's folder with the trainer's state. */
import { type FolderReader, openCheckpoint, saveModelFolder } from '@transfusion/checkpoint/node';
import { parameterTensors } from '@transfusion/sampler/node';
import { flattenTree, isVariable, TransfusionError, type Variable } from '@transfusion/tensor';
import { type AutoencoderConfig, exportWeights, importWeights, parseAutoencoderConfig } from '@transfusion/vae';
import { z } from 'zod';
import type { Progress } from '../train/loop.js';
import { runFiles } from '../train/run-folder.js';
import { vaeRunConfigSchema } from './config.js';
import type { AutoencoderState } from './training-step.js';

export const autoencoderTrainerStateSchema = z.strictObject({
  kind: z.literal('autoencoder').describe('of run'),
  step: z.int().min(0).describe('optimizer steps done'),
  trainSeconds: z.number().min(0).describe('spent in them, over all sessions'),
  config: vaeRunConfigSchema,
});

export type AutoencoderTrainerState = z.output<typeof autoencoderTrainerStateSchema>;

export interface LoadedAutoencoderRun {
  state: AutoencoderTrainerState;
  autoencoder: AutoencoderConfig;
  /** By path under `AutoencoderState`. */
  values: Map<string, Float32Array>;
}

/** The averaged weights, by path. */
export async function averagedWeights({ ema }: AutoencoderState): Promise<Map<string, Float32Array>> {
  const variables = flattenTree<Variable>(ema, isVariable);
  const values = new Map<string, Float32Array>();
  for (const [path, variable] of variables) values.set(path, await variable.read());
  return values;
}

/** Saves the averaged weights as an autoencoder, and beside them all that resuming needs. */
export async function saveAutoencoderRun(
  folder: string,
  options: {
    state: AutoencoderState;
    /** With the scale of latents that was measured. */
    autoencoder: AutoencoderConfig;
    config: AutoencoderTrainerState['config'];
    progress: Progress;
  },
): Promise<void> {
  const { state, autoencoder, config, progress } = options;
  const { ema, ...rest } = state;
  await saveModelFolder({
    path: runFiles(folder).model,
    config: autoencoder,
    tensors: exportWeights({ config: autoencoder, values: await averagedWeights(state) }),
    trainer: { state: { kind: 'autoencoder', ...progress, config }, optimizer: await parameterTensors(rest) },
  });
}

/** Loads the checkpoint of a run. @throws CheckpointError; TransfusionError RUN_NOT_RESUMABLE, CODEC_* */
export async function loadAutoencoderRun(folder: string): Promise<LoadedAutoencoderRun> {
  return openCheckpoint(runFiles(folder).model, async (reader) => {
    if (!(await reader.has('trainer_state.json'))) {
      throw new TransfusionError({
        code: 'RUN_NOT_RESUMABLE',
        message: `${folder} has no checkpoint of a training run (model/trainer_state.json)`,
        fix: 'give the folder of a run, such as runs/emoji-64-kl',
      });
    }
    await checkKind(reader, folder);
    const state = await reader.readJson('trainer_state.json', autoencoderTrainerStateSchema);
    const json = await reader.readJson('config.json', z.unknown());
    const autoencoder = parseAutoencoderConfig(json, `${reader.path}/config.json`);
    const values = new Map<string, Float32Array>();
    for (const [name, { data }] of await reader.readTensors('optimizer.safetensors')) values.set(name, data);
    const weights = await reader.readTensors('model.safetensors');
    const averaged = importWeights({
      config: autoencoder,
      tensors: weights,
      where: `${reader.path}/model.safetensors`,
    });
    for (const [path, data] of averaged) values.set(`ema.${path}`, data);
    return { state, autoencoder, values };
  });
}

/** @throws TransfusionError RUN_KIND: it is a run of `trainer train` */
async function checkKind(reader: FolderReader, folder: string): Promise<void> {
  const state = await reader.readJson('trainer_state.json', z.looseObject({ kind: z.unknown().optional() }));
  if (state.kind !== undefined) return;
  throw new TransfusionError({
    code: 'RUN_KIND',
    message: `${folder} is a run of \`trainer train\`, not of \`trainer vae\``,
    fix: `go on with it by \`trainer train --resume ${folder}\``,
  });
}
