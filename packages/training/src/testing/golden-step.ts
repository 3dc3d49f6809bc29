/** @file What scripts/golden_transfusion_step.py wrote to fixtures: documents, their batch, and PyTorch's training on it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors } from '@transfusion/checkpoint';
import type { ControlTokens, Document, ImagePart, TextPart } from '@transfusion/data';
import { isTensorSpec, mapTree } from '@transfusion/tensor';
import type { ModelConfig } from '@transfusion/transformer';
import type { BatchArrays, BatchShape, Optimisation, TransfusionInputs } from '../index.js';

const FIXTURES = join(__dirname, '../../fixtures');

export const CASES = ['plain', 'qkNorm'] as const;
type Case = (typeof CASES)[number];

/** `transfusion-step.json`. */
interface Description extends Pick<Optimisation, 'ema' | 'learningRate'> {
  cases: Record<Case, { model: ModelConfig; optimizer: Optimisation['optimizer'] }>;
  batch: BatchShape;
  special: ControlTokens;
  lambda: number;
  steps: number;
  /** Without the images' latents. */
  documents: { parts: (TextPart | (Omit<ImagePart, 'latents'> & { timestep: number }))[] }[];
}

export const golden: Description = JSON.parse(readFileSync(join(FIXTURES, 'transfusion-step.json'), 'utf8'));
const tensors = readSafetensors(readFileSync(join(FIXTURES, 'transfusion-step.safetensors')));

export const goldenArray = (name: string): Float32Array => tensors.get(name)!.data;

/** Arrays whose names start with `prefix`, by what follows it. */
export function goldenArrays(prefix: string): Map<string, Float32Array> {
  const names = [...tensors.keys()].filter((name) => name.startsWith(prefix));
  return new Map(names.map((name) => [name.slice(prefix.length), goldenArray(name)]));
}

/** The documents with their latents. */
export function goldenDocuments(): Document[] {
  return golden.documents.map(({ parts }, d) => ({
    parts: parts.map((part, p) =>
      part.kind === 'text' ? part : { ...part, latents: goldenArray(`documents.${d}.parts.${p}`) },
    ),
  }));
}

/** The batch as an objective with noise given takes it, with the noise of a step, from 1. */
export function goldenBatch(inputs: TransfusionInputs, step: number): BatchArrays<TransfusionInputs> {
  return mapTree(inputs, isTensorSpec, ({ dtype }, path) => {
    if (path === 'noiseSeed') return new Int32Array(4);
    const group = /^groups\.(\d+)\.noise$/.exec(path)?.[1];
    if (group === undefined) return dtype === 'i32' ? Int32Array.from(batchArray(path)) : batchArray(path);
    const all = goldenArray(`noise.${group}`);
    const perStep = all.length / golden.steps;
    return all.slice((step - 1) * perStep, step * perStep);
  });
}

const batchArray = (path: string) => goldenArray(`batch.${path}`);

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
