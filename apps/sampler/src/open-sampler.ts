/** @file A model folder on a backend, for as long as a command runs. */
import {
  type AdapterChoice,
  type BackendChoice,
  localAdapters,
  openBackend,
  type Terminal,
} from '@transfusion/app-common';
import { createSampler, type ModelHashes, type PipelineConfig, type Sampler } from '@transfusion/sampler';
import { loadModel, readHashedModelFolder, readModelFolder, type StoredModel } from '@transfusion/sampler/node';
import { modelPath } from './model-path.js';

/** What a command asks of a model. */
export interface Use {
  draws?: boolean;
  /** Draws what a text says. */
  follows?: boolean;
  describes?: boolean;
  /** Draws a picture after another one. */
  edits?: boolean;
}

/** What the model has never learned, in sentences. */
function doubts({ trainedOn }: PipelineConfig, { draws, follows, describes, edits }: Use): string[] {
  if (!trainedOn) return [];
  const { pictures, captions, documents = false } = trainedOn;
  if (!pictures && !documents)
    return draws || describes ? ['this model was trained on texts alone: it has never seen a picture'] : [];
  const onlyPictures = !captions && !documents;
  if (edits && !onlyPictures && trainedOn.edits === false) {
    return [
      'this model was never trained on edits, a picture after another one: what it draws may have nothing of the image',
    ];
  }
  if (!onlyPictures) return [];
  return [
    ...(follows ? ['this model was trained on pictures without captions: it draws whatever the text says'] : []),
    ...(describes ? ['this model was trained on pictures without captions: it cannot describe them'] : []),
  ];
}

interface SamplerUse {
  model?: string;
  lora?: AdapterChoice[];
  backend: BackendChoice;
  uses: Use;
}

/** Reads the model, opens the backend, calls `use`, and frees everything. */
export async function withSampler<Result>(
  options: SamplerUse,
  terminal: Terminal,
  use: (sampler: Sampler) => Promise<Result>,
): Promise<Result> {
  const stored = await readModelFolder(await modelPath(options.model, terminal), {
    adapters: await localAdapters(options.lora, terminal),
  });
  return withModel(stored, options, terminal, use);
}

/** What decides about a picture beside the options that it is drawn with. */
export interface DrawnBy {
  model: ModelHashes;
  /** The backend's name. */
  backend: string;
}

/**
 * `withSampler` for pictures that tell how they were drawn.
 *
 * @param options.check called with the model's hashes, before anything is computed
 */
export async function withHashedSampler<Result>(
  options: SamplerUse & { check?: (hashes: ModelHashes, path: string) => void },
  terminal: Terminal,
  use: (sampler: Sampler, by: DrawnBy) => Promise<Result>,
): Promise<Result> {
  const path = await modelPath(options.model, terminal);
  const { stored, hashes } = await readHashedModelFolder(path, {
    adapters: await localAdapters(options.lora, terminal),
  });
  options.check?.(hashes, path);
  return withModel(stored, options, terminal, (sampler, backend) => use(sampler, { model: hashes, backend }));
}

async function withModel<Result>(
  stored: StoredModel,
  options: SamplerUse,
  terminal: Terminal,
  use: (sampler: Sampler, backend: string) => Promise<Result>,
): Promise<Result> {
  for (const doubt of doubts(stored.config, options.uses)) terminal.log(doubt);
  const backend = await openBackend(options.backend, terminal);
  try {
    const sampler = createSampler({ backend, ...loadModel(stored, backend) });
    return await use(sampler, backend.name);
  } finally {
    await backend.dispose();
  }
}
