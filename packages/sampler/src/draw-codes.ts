/** @file Images as tokens (Chameleon, arXiv 2405.09818): code after code, each sampled as a token of text is, with guidance. */
import type { CodeIds, ControlTokens } from '@transfusion/data';
import { guide } from '@transfusion/schedulers';
import { PhiloxStream } from '@transfusion/tensor';
import { sampleToken, type TextSampling } from './choose-token.js';
import type { DenoisedStep } from './denoise.js';
import { RandomPurpose } from './random-purpose.js';
import type { Sequences } from './sequences.js';

export interface DrawCodesOptions {
  /**
   * Sequence i ends with the BOI of image i; unless the guidance is 1 sequence 2 i does, and 2 i + 1 with that of its
   * unconditional context.
   */
  batch: Sequences;
  codes: CodeIds;
  /** Codes of an image. */
  length: number;
  sampling: TextSampling;
  guidance: number;
  seed: number;
  /** Of each image, which of the seed's draws are its own. */
  noiseIndices: readonly number[];
  special: Pick<ControlTokens, 'boi'>;
  signal?: AbortSignal;
}

/**
 * Draws images together, one code of each in a step; nothing but codes may come. Guidance is `u + w (c - u)` of the logits. Keys
 * and values of what was drawn stay in the cache. Afterwards the sequences stand where they stood: append the result with
 * `appendImages`.
 *
 * @returns the codes of each image, as numbers
 * @throws TransfusionError SAMPLER_LOGITS; what `signal` was aborted with
 */
export async function* drawCodes(options: DrawCodesOptions): AsyncGenerator<DenoisedStep, Float32Array[]> {
  const { batch, codes, length, sampling, guidance, seed, noiseIndices, special, signal } = options;
  const streams = noiseIndices.map((image) => new PhiloxStream(seed, RandomPurpose.imageToken, image));
  const isGuided = guidance !== 1;
  const ownRow = (image: number) => (isGuided ? 2 * image : image);
  const rowsOf = (image: number) => (isGuided ? [2 * image, 2 * image + 1] : [image]);
  const rows = noiseIndices.flatMap((_, image) => rowsOf(image));
  const lengths = rows.map((row) => batch.length(row));
  const drawn = noiseIndices.map(() => new Float32Array(length));
  const ofCodes = (logits: Float32Array) => logits.subarray(codes.first, codes.first + codes.count);
  // BOI again, for its logits.
  for (const row of rows) batch.truncate(row, batch.length(row) - 1);
  let next = new Map(rows.map((row) => [row, [special.boi]]));
  try {
    for (let at = 0; at < length; at++) {
      signal?.throwIfAborted();
      const logits = await batch.appendTokens(next);
      next = new Map();
      for (const [image, stream] of streams.entries()) {
        const own = ofCodes(logits.get(ownRow(image))!);
        const guided = isGuided ? guide(ofCodes(logits.get(ownRow(image) + 1)!), own, guidance) : own;
        const code = sampleToken(guided, sampling, stream.uniform());
        drawn[image][at] = code;
        for (const row of rowsOf(image)) next.set(row, [codes.first + code]);
      }
      // What is not drawn yet is code 0.
      yield { step: at + 1, steps: length, estimates: async () => drawn.map((each) => each.slice()) };
    }
    return drawn;
  } finally {
    rows.forEach((row, i) => batch.truncate(row, lengths[i]));
  }
}
