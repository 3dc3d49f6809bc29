/** @file A prompt in the model's terms. */
import { encodeImages, type Pipeline } from './pipeline.js';
import type { SequenceBatch } from './sequence-batch.js';

/** Text and images in any order. Images are [size, size, 3] in [-1, 1]. */
export type PromptPart = { text: string } | { image: Float32Array };

/** What a sequence begins with; the last piece is always tokens. */
export type PromptPiece = { tokens: number[] } | { latents: Float32Array };

/**
 * BOS, then texts as their tokens and images as BOI patches EOI (see `captionDocument` of @transfusion/data).
 *
 * @throws TransfusionError CODEC_SHAPE
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
      tokens.push(special.boi);
      pieces.push({ tokens }, { latents: encoded.shift()! });
      tokens = [special.eoi];
    }
  }
  return [...pieces, { tokens }];
}

/** Positions that a prompt takes. */
export function promptLength(pipeline: Pipeline, pieces: readonly PromptPiece[]): number {
  return pieces.reduce((sum, piece) => sum + ('tokens' in piece ? piece.tokens.length : pipeline.layout.patches), 0);
}

/** Reads a prompt into one row. Returns the logits after it. */
export async function readPrompt(
  batch: SequenceBatch,
  pieces: readonly PromptPiece[],
  signal?: AbortSignal,
): Promise<Float32Array> {
  let logits: Float32Array = new Float32Array(0);
  for (const piece of pieces) {
    signal?.throwIfAborted();
    if ('tokens' in piece) logits = await batch.appendTokensAlone(0, piece.tokens);
    else await batch.appendImages(new Map([[0, piece.latents]]));
  }
  return logits;
}
