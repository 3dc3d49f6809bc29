/** @file The files of an autoencoder's run, and its checkpoint: an autoencoder's folder with the trainer's state. */
import { saveModelFolder } from '@transfusion/checkpoint/node';
import { parameterTensors } from '@transfusion/sampler/node';
import { flattenTree, isVariable, type Variable } from '@transfusion/tensor';
import { type AutoencoderConfig, exportWeights, importWeights, parseAutoencoderConfig } from '@transfusion/vae';
import { z } from 'zod';
import { type Fingerprint, fingerprintSchema } from '../data/fingerprint.js';
import type { Progress } from '../train/loop.js';
import { openRun } from '../train/open-run.js';
import { runFiles } from '../train/run-files.js';
import { vaeRunConfigSchema } from './config.js';
import type { AutoencoderState } from './training-step.js';

export const autoencoderTrainerStateSchema = z.strictObject({
  kind: z.literal('autoencoder').describe('of run'),
  step: z.int().min(0).describe('optimizer steps done'),
  trainSeconds: z.number().min(0).describe('spent in them, over all sessions'),
  config: vaeRunConfigSchema,
  data: fingerprintSchema.optional().describe('what it was trained on'),
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
    data: Fingerprint;
    progress: Progress;
  },
): Promise<void> {
  const { state, autoencoder, config, data, progress } = options;
  const { ema, ...rest } = state;
  await saveModelFolder({
    path: runFiles(folder).model,
    config: autoencoder,
    tensors: exportWeights({ config: autoencoder, values: await averagedWeights(state) }),
    trainer: { state: { kind: 'autoencoder', ...progress, config, data }, optimizer: await parameterTensors(rest) },
  });
}

/** Loads the checkpoint of a run. @throws CheckpointError; TransfusionError RUN_NOT_RESUMABLE, RUN_KIND, CODEC_* */
export async function loadAutoencoderRun(folder: string): Promise<LoadedAutoencoderRun> {
  return openRun(folder, 'vae', async (reader) => {
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
