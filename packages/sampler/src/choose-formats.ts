/** @file The sizes of many images, as the model announces them after their captions. */
import { greedyToken } from './choose-token.js';
import type { ImageFormat } from './image-formats.js';
import { chunks, openingLogits, type Pipeline } from './pipeline.js';

/**
 * Of each caption the format whose opening the model finds most likely after BOS caption, among those that fit; where there is
 * only one, the model is not asked.
 *
 * @param options.captions token ids; at least one of the formats fits behind each
 */
export async function chooseFormats(
  pipeline: Pipeline,
  options: {
    captions: readonly (readonly number[])[];
    formats: readonly ImageFormat[];
    maxBatch: number;
    signal?: AbortSignal;
  },
): Promise<ImageFormat[]> {
  const { captions, formats, maxBatch, signal } = options;
  if (formats.length === 1) return captions.map(() => formats[0]);
  const { bos } = pipeline.tokenizer.special;
  const { maxPositions } = pipeline.config.model;
  const chosen: ImageFormat[] = [];
  const parts = chunks(captions.length, maxBatch);
  for (const { begin, end } of parts) {
    signal?.throwIfAborted();
    const contexts = captions.slice(begin, end).map((ids) => [bos, ...ids]);
    const capacity = Math.max(...contexts.map((tokens) => tokens.length));
    const batch = pipeline.pool.take({ rows: parts[0].end, capacity });
    try {
      const logits = await batch.appendTokens(new Map(contexts.map((tokens, row) => [row, tokens])));
      contexts.forEach((tokens, row) => {
        // EOI need not follow.
        const fitting = formats.filter(({ length }) => tokens.length + length - 1 <= maxPositions);
        const id = greedyToken(openingLogits(logits.get(row)!, fitting));
        chosen.push(fitting.find(({ opening }) => opening[0] === id)!);
      });
    } finally {
      pipeline.pool.give(batch);
    }
  }
  return chosen;
}
