/** @file A training run as files: all that going on with it needs, in the browser's storage. */
import { FolderReader, MemorySource } from '@transfusion/checkpoint';
import { TransfusionError } from '@transfusion/core';
import { type CaptionedImage, decodePng, encodePng } from '@transfusion/data';
import { parameterTensors, pipelineConfigSchema, type StoredModel } from '@transfusion/sampler';
import { Tokenizer } from '@transfusion/tokenizer';
import type { Progress, TransfusionSession } from '@transfusion/training';
import { readCodecFolder } from '@transfusion/vae';
import { z } from 'zod';
import { type Files, readFolder, readFolderFile, writeFolder } from './folders.js';
import { addWeights, json, modelFolderFiles } from './model-files.js';
import type { TrainingSamples } from './protocol.js';
import type { Store } from './storage.js';

/** What it learns from, written once. */
const DATA = 'run-data';
/** Where it stands, written over and over. */
const STATE = 'run';

const pointSchema = z.object({
  step: z.number(),
  language: z.number(),
  diffusion: z.number().optional(),
  learningRate: z.number(),
});

const stateSchema = z.object({
  title: z.string(),
  dataset: z.string(),
  /** A configuration of @transfusion/training. */
  config: z.record(z.string(), z.unknown()),
  step: z.int().min(0),
  trainSeconds: z.number().min(0),
  losses: z.array(pointSchema),
  savedAt: z.number(),
  /** What was drawn last: the pictures are files beside. */
  sampled: z.object({ step: z.number(), captions: z.array(z.string()) }).optional(),
});
export type RunState = z.output<typeof stateSchema>;

const dataSchema = z.object({
  width: z.int().min(1),
  height: z.int().min(1),
  captions: z.array(z.string()),
});

export async function writeRunData(store: Store, images: readonly CaptionedImage[], vae: Files): Promise<void> {
  const [{ width, height }] = images;
  const length = width * height * 3;
  const pixels = new Uint8Array(images.length * length);
  images.forEach((image, i) => pixels.set(image.pixels, i * length));
  const captions = images.map(({ caption = '' }) => caption);
  const files: Files = new Map([['data.json', json({ width, height, captions })], ['pixels', pixels], ...vae]);
  await writeFolder(store, DATA, files);
}

export async function writeRunState(
  store: Store,
  session: TransfusionSession,
  given: { state: RunState; samples?: TrainingSamples },
): Promise<void> {
  const { state, samples } = given;
  const { parameters, m, v } = session.state;
  // The autoencoder is with the data: it does not change.
  const { vae: _, ...model } = await session.modelFiles();
  const files = modelFolderFiles(model);
  addWeights(files, 'optimizer', await parameterTensors({ parameters, m, v }));
  const sampled = samples && { step: samples.step, captions: samples.samples.map(({ caption }) => caption) };
  files.set('state.json', json({ ...state, sampled }));
  samples?.samples.forEach(({ picture }, i) => files.set(sampleFile(i), encodePng(picture)));
  await writeFolder(store, STATE, files);
}

function sampleFile(i: number): string {
  return `sample-${i}.png`;
}

/** What the run that is kept drew last. */
export async function readRunSamples(store: Store, { sampled }: RunState): Promise<TrainingSamples | undefined> {
  if (!sampled) return undefined;
  const samples: TrainingSamples['samples'] = [];
  for (const [i, caption] of sampled.captions.entries()) {
    const png = await readFolderFile(store, STATE, sampleFile(i));
    if (png) samples.push({ caption, picture: decodePng(png) });
  }
  return { step: sampled.step, samples };
}

/** Of the run that is kept; undefined where there is none. */
export async function readRunState(store: Store): Promise<RunState | undefined> {
  const bytes = await readFolderFile(store, STATE, 'state.json');
  if (!bytes) return undefined;
  const parsed = stateSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
  return parsed.success ? parsed.data : undefined;
}

export async function removeRun(store: Store): Promise<void> {
  await store.remove(STATE);
  await store.remove(DATA);
}

export interface KeptRun {
  state: RunState;
  samples?: TrainingSamples;
  progress: Progress;
  images: CaptionedImage[];
  /** What it trains, with the averages that it has so far: its sizes are those of the run. */
  model: StoredModel;
  values: Map<string, Float32Array>;
}

/** @throws TransfusionError RUN_DAMAGED; CheckpointError */
export async function readRun(store: Store): Promise<KeptRun> {
  const data = await readFolder(store, DATA);
  const run = await readFolder(store, STATE);
  if (!data || !run) throw damaged();
  const state = stateSchema.parse(JSON.parse(new TextDecoder().decode(run.get('state.json'))));
  const vae: Files = new Map([...data].filter(([name]) => name.startsWith('vae/')));
  const reader = new FolderReader(new MemorySource(new Map([...run, ...vae]), 'the kept run'));
  const values = new Map<string, Float32Array>();
  for (const [name, tensor] of await reader.readTensors('optimizer.safetensors')) values.set(name, tensor.data);
  const tensors = await reader.readTensors('model.safetensors');
  for (const [name, { data }] of tensors) values.set(`ema.${name}`, data);
  const config = await reader.readJson('config.json', pipelineConfigSchema);
  const tokenizer = new Tokenizer(await reader.readText('tokenizer.json'));
  const codec = vae.size > 0 ? await readCodecFolder(reader, 'vae') : undefined;
  return {
    ...{ state, values, model: { config, tensors, tokenizer, vae: codec } },
    progress: { step: state.step, trainSeconds: state.trainSeconds },
    images: readImages(data),
    samples: await readRunSamples(store, state),
  };
}

function readImages(data: Files): CaptionedImage[] {
  const { width, height, captions } = dataSchema.parse(JSON.parse(new TextDecoder().decode(data.get('data.json'))));
  const pixels = data.get('pixels')!;
  const length = width * height * 3;
  if (pixels.length !== captions.length * length) throw damaged();
  return captions.map((caption, i) => {
    const own = pixels.slice(i * length, (i + 1) * length);
    return { caption, name: `${i}`, group: `${i}`, width, height, pixels: own };
  });
}

function damaged(): TransfusionError {
  return new TransfusionError({
    code: 'RUN_DAMAGED',
    message: 'the kept run is not whole',
    fix: 'Start it again: the browser has removed some of its files.',
  });
}
