/** @file A model that is open: its files, its weights on the backend, and what people should know of it. */
import { MemorySource } from '@transfusion/checkpoint';
import { TransfusionError } from '@transfusion/core';
import type { ImageSize } from '@transfusion/data';
import {
  completeImageSampling,
  createSampler,
  defaultImageSize,
  imageSizes,
  type LoadedModel,
  loadModel,
  type ModelHashes,
  type PipelineConfig,
  readModel,
  type Sampler,
  type SchedulerName,
  schedulerNames,
} from '@transfusion/sampler';
import type { Backend } from '@transfusion/tensor';
import { z } from 'zod';
import type { Files } from './folders.js';
import { modelHashes } from './model-files.js';
import type { ModelInfo, ModelOrigin } from './protocol.js';

/** In a kept folder, beside the model's own files. */
export const ABOUT_FILE = 'playground.json';

export const aboutSchema = z.object({
  name: z.string(),
  origin: z.enum(['shipped', 'imported', 'trained']),
  suggestions: z.array(z.string()).default([]),
  /** Of a shipped model: which version. */
  version: z.string().optional(),
});
export type About = z.output<typeof aboutSchema>;

const USUAL_SUGGESTIONS = ['red heart', 'frog', 'rocket', 'sunflower', 'crescent moon', 'octopus'];

export interface OpenModel {
  info: ModelInfo;
  files: Files;
  config: PipelineConfig;
  loaded: LoadedModel;
  sampler: Sampler;
  /** Undefined where the page has nothing that hashes. */
  hashes?: ModelHashes;
  dispose(): void;
}

export interface OpeningModel {
  id: string;
  files: Files;
  about: About;
  backend: Backend;
}

/** @throws as `readModel` */
export async function openModelFiles({ id, files, about, backend }: OpeningModel): Promise<OpenModel> {
  const stored = await readModel(new MemorySource(files, about.name));
  const loaded = loadModel(stored, backend);
  const sampler = createSampler({ backend, ...loaded });
  const { config } = stored;
  const parameters = [...stored.tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
  return {
    info: describeModel({ id, about, config, parameters, bytes: bytesOf(files) }),
    ...{ files, config, loaded, sampler, hashes: await modelHashes(files) },
    dispose() {
      sampler.dispose();
      loaded.dispose();
    },
  };
}

export function bytesOf(files: Files): number {
  return [...files.values()].reduce((sum, { length }) => sum + length, 0);
}

function describeModel(options: {
  id: string;
  about: About;
  config: PipelineConfig;
  parameters: number;
  bytes: number;
}): ModelInfo {
  const { id, about, config, parameters, bytes } = options;
  const seen = config.trainedOn;
  const hasImages = config.model.images !== 'none';
  const origin: ModelOrigin = about.origin;
  return {
    ...{ id, name: about.name, origin, parameters, bytes, ...defaultImageSize(config.image) },
    context: config.model.maxPositions,
    schedulers: schedulersOf(config),
    ...{ steps: config.sampling.steps, guidance: config.sampling.guidance },
    canDraw: hasImages && (seen?.pictures ?? true),
    canDescribe: hasImages && (seen?.captions ?? true),
    canEdit: seen?.edits ?? false,
    denoises: config.model.images === 'diffusion',
    suggestions: about.suggestions.length > 0 ? about.suggestions : USUAL_SUGGESTIONS,
    isKept: true,
  };
}

/** Those that fit the model's noise schedule, its own first. */
function schedulersOf(config: PipelineConfig): string[] {
  if (config.model.images !== 'diffusion') return [];
  const fits = (scheduler: SchedulerName) => {
    try {
      completeImageSampling(config, { scheduler });
      return true;
    } catch {
      return false;
    }
  };
  const own = config.sampling.scheduler;
  return [own, ...schedulerNames.filter((name) => name !== own && fits(name))];
}

/** The size of the model nearest to a picture's in shape. */
export function nearestSize(config: PipelineConfig, { width, height }: ImageSize): ImageSize {
  const distance = (size: ImageSize) => Math.abs(Math.log((size.width * height) / (size.height * width)));
  const sizes = imageSizes(config.image);
  return sizes.reduce((best, size) => (distance(size) < distance(best) ? size : best), sizes[0]);
}

export function noModel(): TransfusionError {
  return new TransfusionError({
    code: 'NO_MODEL',
    message: 'No model is open',
    fix: 'Open a model folder or its zip file, or train one: it takes a minute or two.',
  });
}
