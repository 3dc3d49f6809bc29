/** @file A prompt in the model's terms. */
import type { RgbImage } from '@transfusion/data';
import { type EncodedImage, encodeImages, type Pipeline } from './pipeline.js';
import type { Sequences } from './sequences.js';

/** Text and images in any order. Images are of sizes that the model was trained on. */
export type PromptPart = { text: string } | { image: RgbImage };

/** What a sequence begins with; the last piece is always tokens. */
export type PromptPiece = { tokens: number[] } | EncodedImage;

/**
 * BOS, then texts as their tokens and images as SIZE? BOI patches EOI (see `captionDocument` of @transfusion/data).
 *
 * @throws TransfusionError SAMPLER_IMAGE_SIZE, CODEC_SHAPE
 */
export async function encodePrompt(pipeline: Pipeline, prompt: readonly PromptPart[]): Promise<PromptPiece[]> {
  const { special } = pipeline.tokenizer;
  const images = prompt.flatMap((part) => ('image' in part ? [part.image] : []));
  const encoded = await encodeImages(pipeline, images);
  let tokens = [special.bos];
  const pieces: PromptPiece[] = [];
  for (const part of prompt) {
    if ('text' in part) tokens.push(...pipeline.tokenizer.encode(part.text));
    else {
      const image = encoded.shift()!;
      tokens.push(...image.format.opening);
      pieces.push({ tokens }, image);
      tokens = [special.eoi];
    }
  }
  return [...pieces, { tokens }];
}

/** Positions that a prompt takes. */
export function promptLength(pieces: readonly PromptPiece[]): number {
  return pieces.reduce((sum, piece) => sum + ('tokens' in piece ? piece.tokens.length : piece.format.patches), 0);
}

/** Reads a prompt into one row, by default the first. Returns the logits after it. */
export async function readPrompt(
  batch: Sequences,
  pieces: readonly PromptPiece[],
  signal?: AbortSignal,
  row = 0,
): Promise<Float32Array> {
  let logits: Float32Array = new Float32Array(0);
  for (const piece of pieces) {
    signal?.throwIfAborted();
    if ('tokens' in piece) logits = await batch.appendTokensAlone(row, piece.tokens);
    else await batch.appendImages(new Map([[row, piece.latents]]), piece.format.latent);
  }
  return logits;
}

/**
 * Reads a prompt into each of the first rows, all at once.
 *
 * @param prompts of equally many pieces: tokens, and images of one size, in the same order
 */
export async function readPrompts(
  batch: Sequences,
  prompts: readonly (readonly PromptPiece[])[],
  signal?: AbortSignal,
): Promise<void> {
  for (const [index, first] of prompts[0].entries()) {
    signal?.throwIfAborted();
    const pieces = prompts.map((prompt) => prompt[index]);
    if ('tokens' in first) {
      const tokens = pieces.map((piece, row) => [row, (piece as { tokens: number[] }).tokens] as const);
      await batch.appendTokens(new Map(tokens));
    } else {
      const images = pieces.map((piece, row) => [row, (piece as EncodedImage).latents] as const);
      await batch.appendImages(new Map(images), first.format.latent);
    }
  }
}
