/** @file What each position of a document looks at, layer by layer and head by head. */
import { TransfusionError } from '@transfusion/core';
import {
  type Document,
  distinctSizes,
  documentLength,
  documentOfTokens,
  type GridSlots,
  type ImageContext,
  imagesInRow,
  isSameSize,
  type PackedBatch,
  packDocuments,
  RandomPurpose,
} from '@transfusion/data';
import { imageCodes, objectiveOptions, type PipelineConfig } from '@transfusion/sampler';
import { createObjective, type NoiseSchedule } from '@transfusion/schedulers';
import { type Backend, PhiloxStream } from '@transfusion/tensor';
import type { ModelConfig, ModelVariables } from '@transfusion/transformer';
import { attentionWeights } from './attention-weights.js';
import { observeAttention } from './observe-attention.js';
import { type PlacesTokenizer, type SequencePlaces, sequencePlaces } from './sequence-places.js';

export interface AttentionMapsOptions {
  backend: Backend;
  /** As `openModel` gives it; of a session its pipeline, averaged weights and tokenizer. */
  model: { config: PipelineConfig; parameters: ModelVariables; tokenizer: PlacesTokenizer };
  /** With the latents of its images; codes, where images are tokens. An image to look at (`role: 'context'`) is clean. */
  document: Document;
  /** Of the images to denoise, 0 to the last of the schedule; default: half way. */
  timestep?: number;
  /** Of their noise; default 0. */
  seed?: number;
  /** What later positions see of an image to denoise, as the model was trained; default: the noised image, as in the paper. */
  imageContext?: ImageContext;
  /** Which layers and heads, from 0; default: all. Each map takes 8 T^2 bytes. */
  layers?: readonly number[];
  heads?: readonly number[];
}

/** The weights of a layer's heads. */
export interface LayerAttention {
  layer: number;
  heads: {
    head: number;
    /** f64 [T, T]: row i sums to 1, and says what position i looks at. */
    weights: Float64Array;
  }[];
}

/** T positions, and what they look at. */
export interface AttentionMaps extends SequencePlaces {
  layers: LayerAttention[];
}

/**
 * The attention of a real forward pass over one document.
 *
 * @throws TransfusionError ATTENTION_CHOICE: there is no such layer, head or timestep; ATTENTION_POSITIONS: the document is
 *   longer than the model's sequences; DATA_*: it is not one of the model's
 */
export async function attentionMaps(options: AttentionMapsOptions): Promise<AttentionMaps> {
  const { backend, model, document, seed = 0, imageContext } = options;
  const { config, parameters, tokenizer } = model;
  const { heads, kvHeads = heads, channels, patchSize, imageAttention, imagePositions } = config.model;
  const layers = chosen('layer', options.layers, config.model.layers);
  const wanted = chosen('head', options.heads, heads);
  const { noiseSchedule } = createObjective(objectiveOptions(config));
  const { timestep = Math.floor(noiseSchedule.trainTimesteps / 2) } = options;
  chosen('timestep', [timestep], noiseSchedule.trainTimesteps);
  const codes = imageCodes(config);
  const { special } = tokenizer;
  const layout = { patchSize, imageAttention, imagePositions, imageContext, special };
  const written = codes ? documentOfTokens(document, { codes, special }) : document;
  const packed = packDocuments([written], {
    ...{ rows: 1, sequenceLength: documentLength(written, patchSize, imageContext), ...layout },
    ...{ grids: gridsOf(written, imageContext), channels: config.model.patchValues / patchSize ** 2 },
  });
  checkPositions(packed, config.model);
  const timesteps = addNoise(packed, { noiseSchedule, timestep, seed });
  const observed = await observeAttention({ backend, model: config.model, parameters, packed, timesteps, layers });
  const sizes = { heads, kvHeads, headDim: channels / heads };
  return {
    ...sequencePlaces({ document, tokenizer, layout, codes, timestep }),
    layers: observed.map(({ layer, q, k }) => ({
      layer,
      heads: wanted.map((head) => ({ head, weights: attentionWeights({ q, k }, packed, head, sizes) })),
    })),
  };
}

/** The mean of some heads' weights, [T, T]; its rows sum to 1 too. */
export function meanOfHeads(heads: LayerAttention['heads']): Float64Array {
  const mean = new Float64Array(heads[0].weights.length);
  for (const { weights } of heads) for (let i = 0; i < mean.length; i++) mean[i] += weights[i] / heads.length;
  return mean;
}

/** @throws TransfusionError ATTENTION_CHOICE */
function chosen(what: string, given: readonly number[] | undefined, count: number): number[] {
  if (!given) return Array.from({ length: count }, (_, i) => i);
  const wrong = given.find((each) => !Number.isInteger(each) || each < 0 || each >= count);
  if (wrong === undefined && given.length > 0) return [...given];
  const problem = wrong === undefined ? `no ${what} is asked for` : `there is no ${what} ${wrong}`;
  throw new TransfusionError({
    code: 'ATTENTION_CHOICE',
    message: `attentionMaps: ${problem}, the model has ${count}`,
    fix: `choose from 0 to ${count - 1}`,
  });
}

/** A group for every size, with room for all. */
function gridsOf(document: Document, imageContext: ImageContext | undefined): GridSlots[] {
  const images = imagesInRow(document, imageContext);
  return distinctSizes(images).map(({ height, width }) => {
    return { height, width, slots: images.filter((image) => isSameSize(image, { height, width })).length };
  });
}

/** @throws TransfusionError ATTENTION_POSITIONS */
function checkPositions({ positions, columns = positions }: PackedBatch, { maxPositions }: ModelConfig): void {
  const last = positions.reduce((most, position, i) => Math.max(most, position, columns[i]), 0);
  if (last < maxPositions) return;
  throw new TransfusionError({
    code: 'ATTENTION_POSITIONS',
    message: `attentionMaps: the document takes ${last + 1} positions, the model has ${maxPositions}`,
    fix: 'give a shorter document',
  });
}

/** Noise on the latents of what is to be denoised, in place; gives the timesteps of all slots, 0 where nothing is noised. */
function addNoise(
  { groups, images }: PackedBatch,
  { noiseSchedule, timestep, seed }: { noiseSchedule: NoiseSchedule; timestep: number; seed: number },
): Float32Array[] {
  const { signal, noise } = noiseSchedule.level(timestep);
  const timesteps = groups.map(({ slots }) => new Float32Array(slots));
  images.forEach(({ group, slot, role }, number) => {
    if (role === 'context') return;
    const stream = new PhiloxStream(seed, RandomPurpose.evaluation, 0, number);
    const { latents, slots } = groups[group];
    const values = latents.length / slots;
    for (let i = slot * values; i < (slot + 1) * values; i++)
      latents[i] = signal * latents[i] + noise * stream.normal();
    timesteps[group][slot] = timestep;
  });
  return timesteps;
}
