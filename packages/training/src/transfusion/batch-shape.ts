/** @file The sizes of a run's batches, from the lengths of its documents. */
import { TransfusionError } from '@transfusion/core';
import {
  captionedLength,
  documentLength,
  type ImageContext,
  type ImageGrid,
  imagesInRow,
  interleavedDocument,
  patchCount,
} from '@transfusion/data';
import type { TransfusionTrainingConfig } from './config.js';
import type { DocumentExample, Example } from './examples.js';
import type { BatchShape } from './objective.js';

/** Positions of a row of a run without pictures, where nothing is set. */
const TEXT_POSITIONS = 256;

/** What a document takes: positions of its row, and images by their latent sizes; with clean context more than it has. */
export interface DocumentSize {
  length: number;
  /** Rotary positions: at most as many as it has positions of its own. */
  positions: number;
  grids: ImageGrid[];
}

/** How images stand in a sequence. */
interface PatchLayout {
  patchSize: number;
  /** A token of its size stands before each. */
  announced: boolean;
  /** Default: noised. */
  context?: ImageContext;
}

/** A picture with its caption, both control tokens of the document and the image's included. */
export function exampleSize(
  { captionIds }: Pick<Example, 'captionIds'>,
  grid: ImageGrid,
  { patchSize, announced, context }: PatchLayout,
): DocumentSize {
  const sizes = { tokens: captionIds.length, patches: patchCount(grid, patchSize), announced };
  return {
    length: captionedLength({ ...sizes, context }),
    positions: captionedLength(sizes),
    grids: context === 'clean' ? [grid, grid] : [grid],
  };
}

/** Any other document, with BOS and EOS around it. */
export function documentSize(
  { parts }: DocumentExample,
  gridOf: (size: ImageGrid) => ImageGrid,
  { patchSize, announced, context }: PatchLayout,
): DocumentSize {
  // Which token it is makes no difference.
  const sizeToken = announced ? 0 : undefined;
  const sized = parts.map((part) => (part.kind === 'text' ? part : { ...part, ...gridOf(part), sizeToken }));
  const document = interleavedDocument(sized, { bos: 0, eos: 0 });
  return {
    length: documentLength(document, patchSize, context),
    positions: documentLength(document, patchSize),
    grids: imagesInRow(document, context),
  };
}

/**
 * A row holds `imagesPerRow` of the longest documents with images; for every size of images there are as many slots as such a
 * batch could need. So every document of a step finds room.
 * @throws TransfusionError CONFIG_SEQUENCE_LENGTH: `batch.sequenceLength` is shorter than such a row
 */
export function batchShape(config: TransfusionTrainingConfig, documents: readonly DocumentSize[]): BatchShape {
  const { rows, imagesPerRow, sequenceLength } = config.batch;
  const longest = documents.reduce((most, { length }) => Math.max(most, length), 0);
  const needed = documents.length > 0 ? imagesPerRow * longest : config.model.maxPositions;
  if (documents.length > 0 && sequenceLength !== null && sequenceLength < imagesPerRow * longest) {
    throw new TransfusionError({
      code: 'CONFIG_SEQUENCE_LENGTH',
      message: `batch.sequenceLength is ${sequenceLength}, and ${imagesPerRow} documents of a row (batch.imagesPerRow) take up to ${longest} positions each: some would find no room`,
      fix: `raise batch.sequenceLength to ${imagesPerRow * longest}, leave it out, or lower batch.imagesPerRow to ${Math.floor(sequenceLength / longest)}`,
    });
  }
  const most = new Map<string, { grid: ImageGrid; images: number }>();
  for (const { grids } of documents) {
    const counts = new Map<string, { grid: ImageGrid; images: number }>();
    for (const { height, width } of grids) {
      const key = `${height} x ${width}`;
      counts.set(key, { grid: { height, width }, images: (counts.get(key)?.images ?? 0) + 1 });
    }
    for (const [key, count] of counts) {
      if (count.images > (most.get(key)?.images ?? 0)) most.set(key, count);
    }
  }
  return {
    rows,
    sequenceLength: sequenceLength ?? needed ?? TEXT_POSITIONS,
    grids: [...most.values()].map(({ grid, images }) => ({ ...grid, slots: rows * imagesPerRow * images })),
  };
}
