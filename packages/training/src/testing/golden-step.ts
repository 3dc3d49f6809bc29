/** @file What scripts/golden_transfusion_step.py wrote to fixtures: documents, their batch, and PyTorch's training on it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors } from '@transfusion/checkpoint';
import type { ControlTokens, Document, ImageContext, ImagePart, TextPart } from '@transfusion/data';
import { isTensorSpec, mapTree } from '@transfusion/tensor';
import type { ModelConfig } from '@transfusion/transformer';
import type { BatchArrays, BatchShape, Optimisation, TransfusionInputs } from '../index.js';

const FIXTURES = join(__dirname, '../../fixtures');

/** Cases by variant of the model; those of the paper's are in `transfusion-step`, others in `transfusion-step-VARIANT`. */
export const VARIANTS = {
  '': ['plain', 'qkNorm'],
  unet: ['group', 'layer'],
  modalities: ['plain', 'qkNorm'],
  clean: ['plain', 'qkNorm'],
} as const;
export type Variant = keyof typeof VARIANTS;

/** `transfusion-step.json`. */
interface Description extends Pick<Optimisation, 'ema' | 'learningRate'> {
  cases: Record<string, { model: ModelConfig; optimizer: Optimisation['optimizer'] }>;
  batch: BatchShape;
  /** Default: noised. */
  imageContext?: ImageContext;
  special: ControlTokens;
  lambda: number;
  steps: number;
  /** Without the images' latents. */
  documents: { parts: (TextPart | (Omit<ImagePart, 'latents'> & { timestep: number }))[] }[];
}

export interface Golden extends Description {
  array(name: string): Float32Array;
  /** Arrays whose names start with `prefix`, by what follows it. */
  arrays(prefix: string): Map<string, Float32Array>;
  /** The documents with their latents. */
  completeDocuments(): Document[];
  /** The batch as an objective with noise given takes it, with the noise of a step, from 1. */
  batchOf(inputs: TransfusionInputs, step: number): BatchArrays<TransfusionInputs>;
}

export function readGolden(variant: Variant): Golden {
  const file = join(FIXTURES, variant ? `transfusion-step-${variant}` : 'transfusion-step');
  const description: Description = JSON.parse(readFileSync(`${file}.json`, 'utf8'));
  const tensors = readSafetensors(readFileSync(`${file}.safetensors`));
  const array = (name: string): Float32Array => tensors.get(name)!.data;
  const batchArray = (path: string) => array(`batch.${path}`);
  return {
    ...description,
    array,
    arrays(prefix) {
      const names = [...tensors.keys()].filter((name) => name.startsWith(prefix));
      return new Map(names.map((name) => [name.slice(prefix.length), array(name)]));
    },
    completeDocuments: () =>
      description.documents.map(({ parts }, d) => ({
        parts: parts.map((part, p) =>
          part.kind === 'text' ? part : { ...part, latents: array(`documents.${d}.parts.${p}`) },
        ),
      })),
    batchOf: (inputs, step) =>
      mapTree(inputs, isTensorSpec, ({ dtype }, path) => {
        if (path === 'noiseSeed') return new Int32Array(4);
        const group = /^groups\.(\d+)\.noise$/.exec(path)?.[1];
        if (group === undefined) return dtype === 'i32' ? Int32Array.from(batchArray(path)) : batchArray(path);
        const all = array(`noise.${group}`);
        const perStep = all.length / description.steps;
        return all.slice((step - 1) * perStep, step * perStep);
      }),
  };
}

/** The greatest difference, as a part of the greatest magnitude that was expected. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [difference, magnitude] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const each = Math.abs(actual[i] - expected[i]);
    difference = Math.max(difference, Number.isNaN(each) ? Number.POSITIVE_INFINITY : each);
    magnitude = Math.max(magnitude, Math.abs(expected[i]));
  }
  return difference / magnitude;
}
