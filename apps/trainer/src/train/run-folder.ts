/** @file The files of a run, and its checkpoint: saved whole or not at all, loaded back bit by bit. */
import { type SaveModelOptions, saveModelFolder, type TensorMap } from '@transfusion/checkpoint/node';
import { parameterTensors } from '@transfusion/sampler/node';
import { Tokenizer } from '@transfusion/tokenizer';
import { readCodecFolder, type StoredCodec } from '@transfusion/vae';
import { z } from 'zod';
import { runConfigSchema } from '../config/run-config.js';
import { fingerprintSchema } from '../data/fingerprint.js';
import { readCodec } from '../data/run-codec.js';
import { openRun } from './open-run.js';
import type { StateValues } from './resume-state.js';
import { runFiles } from './run-files.js';
import type { TrainingSession } from './session.js';

const trainerStateSchema = z.strictObject({
  step: z.int().min(0).describe('optimizer steps done'),
  trainSeconds: z.number().min(0).describe('spent in them, over all sessions'),
  config: runConfigSchema,
  data: fingerprintSchema.optional().describe('what it was trained on'),
});

export type TrainerState = z.output<typeof trainerStateSchema>;

/** Saves the weights to sample from (the moving average), and beside them all that resuming needs. */
export async function saveRun(
  folder: string,
  session: TrainingSession,
  progress: { step: number; trainSeconds: number },
) {
  const { state, pipeline, config, data, tokenizer, storedCodec } = session;
  const tensors = await parameterTensors(state.ema);
  const { parameters, m, v, lossScale } = state;
  await saveModelFolder({
    path: runFiles(folder).model,
    config: pipeline,
    tensors,
    tokenizer: tokenizer.toJson(),
    ...codecFiles(storedCodec),
    trainer: {
      state: { ...progress, config, data },
      optimizer: await parameterTensors({ parameters, m, v, lossScale }),
    },
  });
}

function codecFiles({ config, weights }: StoredCodec): Pick<SaveModelOptions, 'vae'> {
  if (config.kind === 'pixels') return {};
  const tensors: TensorMap = new Map();
  for (const [name, { shape, data }] of weights) tensors.set(name, { shape: [...shape], data });
  return { vae: { config: config.autoencoder, tensors } };
}

export interface LoadedRun {
  state: TrainerState;
  tokenizer: Tokenizer;
  codec: StoredCodec;
  values: StateValues;
}

/** Loads the checkpoint of a run. @throws CheckpointError; TransfusionError RUN_NOT_RESUMABLE, RUN_KIND, CODEC_* */
export async function loadRun(folder: string): Promise<LoadedRun> {
  return openRun(folder, 'train', async (reader) => {
    const state = await reader.readJson('trainer_state.json', trainerStateSchema);
    const tokenizer = new Tokenizer(await reader.readText('tokenizer.json'));
    const values = new Map<string, Float32Array>();
    for (const [name, { data }] of await reader.readTensors('optimizer.safetensors')) values.set(name, data);
    for (const [name, { data }] of await reader.readTensors('model.safetensors')) values.set(`ema.${name}`, data);
    const isPixels = state.config.codec === null;
    const codec: StoredCodec = isPixels ? await readCodec(null) : await readCodecFolder(reader, 'vae');
    return { state, tokenizer, codec, values };
  });
}
