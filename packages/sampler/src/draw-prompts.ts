/** @file Many images at once, each after a prompt of its own: in batches of one size, of equal prompts but for their words. */
import type { RgbImage } from '@transfusion/data';
import { type DenoisedStep, toTheEnd } from './denoise.js';
import type { ImageFormat } from './image-formats.js';
import { type Drawing, imageSteps, isGuidedDrawing, stepsOf } from './image-steps.js';
import { keepPixels, type Source } from './image-to-image.js';
import { chunks, decodeImages, type Pipeline } from './pipeline.js';
import { type PromptPiece, promptLength, readPrompts } from './prompt.js';

/** What stands before an image that is to be drawn, up to what opens it. */
export interface DrawnPrompt {
  /** Of the image. */
  format: ImageFormat;
  prompt: readonly PromptPiece[];
  /** What stands there where guidance leads away from; of as many pieces, and with images of the same sizes. */
  unconditional: readonly PromptPiece[];
  /** What the image is made from. */
  source?: Source;
}

export interface DrawingProgress {
  /** Steps taken, of all batches, from 1. */
  step: number;
  steps: number;
  /** Which of the prompts the batch draws: those of one batch have one size. */
  indices: readonly number[];
  /**
   * The present estimates of the batch's images. Read from the device and decoded when called, which is to be before
   * `onStep` has returned.
   */
  previews(): Promise<RgbImage[]>;
}

export interface DrawPromptsOptions {
  seed: number;
  /** Image i has noise number `firstIndex + i` of the seed. */
  firstIndex: number;
  /** Most prompts in one batch. */
  maxBatch: number;
  signal?: AbortSignal;
  onStep?: (progress: DrawingProgress) => unknown;
}

/** Draws an image after each of the prompts, which fit into the model's context. */
export async function drawPrompts(
  pipeline: Pipeline,
  drawing: Drawing,
  prompts: readonly DrawnPrompt[],
  { seed, firstIndex, maxBatch, signal, onStep }: DrawPromptsOptions,
): Promise<RgbImage[]> {
  const batches = batchesOf(prompts, maxBatch);
  const steps = batches.reduce((sum, { indices }) => sum + stepsOf(drawing, prompts[indices[0]].format), 0);
  let step = 0;
  const images: RgbImage[] = [];
  for (const { indices, size } of batches) {
    const drawn = indices.map((i) => prompts[i]);
    const decoded = async (latents: readonly Float32Array[]) =>
      (await decodeImages(pipeline, drawn[0].format, latents)).map((each, i) => keepPixels(each, drawn[i].source));
    const latents = await drawBatch(pipeline, drawing, {
      ...{ prompts: drawn, size, seed, signal, noiseIndices: indices.map((i) => firstIndex + i) },
      onStep: ({ estimates }) => {
        const previews = async () => decoded(await estimates());
        return onStep?.({ step: ++step, steps, indices, previews });
      },
    });
    const pictures = await decoded(latents);
    indices.forEach((index, i) => {
      images[index] = pictures[i];
    });
  }
  return images;
}

/** Prompts that are read and drawn together. */
interface BatchPlan {
  indices: number[];
  /** Room for so many: all batches of a kind have that of its first, so that they are served by the same compiled functions. */
  size: number;
}

function batchesOf(prompts: readonly DrawnPrompt[], maxBatch: number): BatchPlan[] {
  const kinds = new Map<string, number[]>();
  prompts.forEach(({ format, prompt }, i) => {
    const sizes = [format, ...prompt.flatMap((piece) => ('tokens' in piece ? [] : [piece.format]))];
    const kind = sizes.map(({ width, height }) => `${width}x${height}`).join();
    kinds.set(kind, [...(kinds.get(kind) ?? []), i]);
  });
  return [...kinds.values()].flatMap((own) => {
    const parts = chunks(own.length, maxBatch);
    return parts.map(({ begin, end }) => ({ indices: own.slice(begin, end), size: parts[0].end }));
  });
}

interface Batch {
  prompts: readonly DrawnPrompt[];
  size: number;
  noiseIndices: number[];
  seed: number;
  signal?: AbortSignal;
  onStep: (step: DenoisedStep) => unknown;
}

async function drawBatch(pipeline: Pipeline, drawing: Drawing, options: Batch): Promise<Float32Array[]> {
  const { prompts, size, onStep, ...given } = options;
  const guided = isGuidedDrawing(drawing);
  const [{ format }] = prompts;
  const rows = prompts.flatMap(({ prompt, unconditional }) => (guided ? [prompt, unconditional] : [prompt]));
  const capacity = Math.max(...rows.map(promptLength)) + format.patches;
  const sources = prompts.flatMap(({ source }) => source ?? []);
  const batch = pipeline.pool.take({ rows: guided ? 2 * size : size, capacity });
  try {
    await readPrompts(batch, rows, given.signal);
    const made = sources.length > 0 ? { sources } : {};
    return await toTheEnd(imageSteps(pipeline, { ...given, ...made, drawing, batch, format }), onStep);
  } finally {
    pipeline.pool.give(batch);
  }
}
