/** @file `sampler info`: what a model folder holds, and what it would run on. */
import {
  type AdapterChoice,
  type BackendChoice,
  localAdapters,
  openBackend,
  type Terminal,
} from '@transfusion/app-common';
import { openCheckpoint } from '@transfusion/checkpoint/node';
import { formatImageSize } from '@transfusion/data';
import { imageLayout, imageSizes } from '@transfusion/sampler';
import { readModelFolder, type StoredModel } from '@transfusion/sampler/node';
import { feedForwardWidth } from '@transfusion/transformer';
import { z } from 'zod';
import { modelPath } from '../model-path.js';

export interface InfoCommandOptions {
  model?: string;
  lora?: AdapterChoice[];
  backend: BackendChoice;
}

export async function infoCommand(options: InfoCommandOptions, terminal: Terminal): Promise<void> {
  const path = await modelPath(options.model, terminal);
  const stored = await readModelFolder(path, { adapters: await localAdapters(options.lora, terminal) });
  const { tensors, tokenizer } = stored;
  const step = await trainingStep(path);
  const backend = await openBackend(options.backend, terminal);
  const runsOn = `${backend.name}, ${backend.description}`;
  await backend.dispose();
  const lines = {
    model: path,
    parameters: describeTensors(tensors),
    ...describe(stored),
    ...(stored.adapters ? { lora: stored.adapters.map(describeAdapter).join('; ') } : {}),
    tokenizer: `${tokenizer.vocabularySize} ids`,
    training: step === undefined ? 'no training state' : `step ${step}`,
    backend: runsOn,
  };
  for (const [label, text] of Object.entries(lines)) terminal.out(`${label.padEnd(11)} ${text}`);
}

function describe(stored: StoredModel): Record<string, string> {
  const { config } = stored;
  const { model, image, diffusion, sampling, trainedOn } = config;
  const { width, height, patches } = imageLayout(config);
  const heads = model.kvHeads === undefined ? `${model.heads} heads` : `${model.heads} heads over ${model.kvHeads}`;
  const side = `${model.patchSize} x ${model.patchSize}`;
  const unit = config.codec.kind === 'pixels' ? 'pixels' : 'latents';
  const through = model.patcher.kind === 'unet' ? ', through a U-Net' : '';
  const positions = model.images === 'tokens' ? `${patches} tokens` : `${patches} patches of ${side} ${unit}${through}`;
  const images = `${width} x ${height} pixels as ${positions}`;
  const sizes = imageSizes(image).length > 1 ? { sizes: describeSizes(image) } : {};
  return {
    transformer: `${model.layers} layers, ${model.channels} channels, ${heads}, feed-forward ${feedForwardWidth(model)}`,
    context: `${model.maxPositions} positions`,
    ...(model.images === 'none' ? { images: 'none: a plain language model' } : { images, ...sizes }),
    ...(model.images === 'none' ? {} : { codec: describeCodec(stored) }),
    ...(model.images === 'diffusion' && {
      diffusion: `predicts ${diffusion.parameterisation}, ${diffusion.schedule} schedule of ${diffusion.trainTimesteps} timesteps`,
    }),
    ...(trainedOn ? { 'trained on': describeTraining(trainedOn) } : {}),
    ...(model.images === 'diffusion' && {
      sampling: `${sampling.scheduler}, ${sampling.steps} steps, guidance ${sampling.guidance} unless told otherwise`,
    }),
    ...(model.images === 'tokens' && { sampling: `guidance ${sampling.guidance} unless told otherwise` }),
  };
}

function describeSizes(image: StoredModel['config']['image']): string {
  const sizes = imageSizes(image).map(formatImageSize).join(', ');
  return `${sizes}; ${image.announced ? 'the model chooses' : 'chosen with --size'}`;
}

function describeAdapter({ where, config, layers, strength }: NonNullable<StoredModel['adapters']>[number]): string {
  const times = strength === 1 ? '' : ` times ${strength}`;
  return `${where}${times}: rank ${config.r}, alpha ${config.lora_alpha}, ${layers.size} layers`;
}

function describeTraining(trainedOn: NonNullable<StoredModel['config']['trainedOn']>): string {
  const { pictures, captions, documents, edits, texts } = trainedOn;
  const seen = [
    ...(pictures ? [captions ? 'pictures with captions' : 'pictures without captions'] : []),
    ...(documents ? [`documents of texts and pictures${edits ? ' (edits among them)' : ''}`] : []),
    ...(texts ? ['texts'] : []),
  ];
  return seen.length < 2 ? seen.join() : `${seen.slice(0, -1).join(', ')} and ${seen.at(-1)}`;
}

function describeCodec({ config, vae }: StoredModel): string {
  const { codec, model } = config;
  if (codec.kind === 'pixels') return codec.kind;
  const { height, latent } = imageLayout(config);
  const channels = model.images === 'tokens' ? '' : `, ${latent.channels} latent channels`;
  const latents = `downsampling ${height / latent.height}${channels}`;
  const codes = codec.kind === 'vq' ? `, ${codec.autoencoder.num_vq_embeddings.toLocaleString('en')} codes` : '';
  return `${codec.kind}, ${latents}${codes}, ${describeTensors(vae?.weights ?? new Map(), ' parameters')}`;
}

function describeTensors(tensors: ReadonlyMap<string, { data: Float32Array }>, what = ''): string {
  const values = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
  return `${values.toLocaleString('en')}${what} in ${tensors.size} tensors, ${formatMegabytes(4 * values)} as f32`;
}

/** The step that a checkpoint of a training run is at, or that its export was. */
async function trainingStep(path: string): Promise<number | undefined> {
  const state = await openCheckpoint(path, async (folder) => {
    for (const name of ['trainer_state.json', 'training.json'])
      if (await folder.has(name)) return folder.readJson(name, z.unknown());
  });
  const parsed = z.object({ step: z.int() }).safeParse(state);
  return parsed.success ? parsed.data.step : undefined;
}

function formatMegabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
