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
import { rowLayout } from './batch-rows.js';
import type { TransfusionTrainingConfig } from './config.js';
import { type CaptionIds, type DocumentExample, longestCaption } from './examples.js';
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

/** A picture with the longest of its captions, both control tokens of the document and the image's included. */
export function exampleSize(
  example: CaptionIds,
  grid: ImageGrid,
  { patchSize, announced, context }: PatchLayout,
): DocumentSize {
  const sizes = { tokens: longestCaption(example), patches: patchCount(grid, patchSize), announced };
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
 * A row holds `imagesPerRow` of the longest documents with images or, where documents have rows of their own (`data.documentShare`),
 * so many of the longest pictures with captions, or `documentsPerRow` of the longest documents; for every size of images there are as
 * many slots as such a batch could need. Where that number is null, a row is `batch.sequenceLength` long and is filled. So every document
 * of a step finds room.
 * @throws TransfusionError CONFIG_SEQUENCE_LENGTH: `batch.sequenceLength` is shorter than such a row
 */
export function batchShape(
  config: TransfusionTrainingConfig,
  pictures: readonly DocumentSize[],
  documents: readonly DocumentSize[] = [],
): BatchShape {
  const { rows, sequenceLength } = config.batch;
  const layout = rowLayout(config);
  const { perRow } = layout;
  const kinds: Kind[] =
    config.data.documentShare === null
      ? [{ sizes: [...pictures, ...documents], perRow: perRow.pictures, field: 'imagesPerRow' }]
      : [
          { sizes: pictures, perRow: perRow.pictures, field: 'imagesPerRow' },
          { sizes: documents, perRow: perRow.documents, field: 'documentsPerRow' },
        ];
  const needed = kinds.reduce((most, kind) => Math.max(most, rowOf(kind, sequenceLength)), 0);
  // Rows of each kind: as many as there may be of the first, or of the second.
  const mixtures =
    kinds.length === 1
      ? [[rows]]
      : [
          [layout.rows.pictures, rows - layout.rows.pictures],
          [rows - layout.rows.documents, layout.rows.documents],
        ];
  const grids = new Map<string, ImageGrid & { ofKind: number[] }>();
  const length = sequenceLength ?? (needed || (config.model.maxPositions ?? TEXT_POSITIONS));
  kinds.forEach((each, kind) => {
    for (const { grid, images } of mostImages(each, length)) {
      const key = `${grid.height} x ${grid.width}`;
      const { ofKind } = grids.get(key) ?? { ofKind: kinds.map(() => 0) };
      ofKind[kind] = images;
      grids.set(key, { ...grid, ofKind });
    }
  });
  const slotsOf = (images: number[]) =>
    Math.max(...mixtures.map((rows) => rows.reduce((sum, count, kind) => sum + count * images[kind], 0)));
  return {
    rows,
    sequenceLength: length,
    grids: [...grids.values()].map(({ ofKind, ...grid }) => ({ ...grid, slots: slotsOf(ofKind) })),
  };
}

/** Documents that share rows. */
interface Kind {
  sizes: readonly DocumentSize[];
  /** Null: as many as find room. */
  perRow: number | null;
  field: 'imagesPerRow' | 'documentsPerRow';
}

/** Positions of a row of the longest. @throws TransfusionError CONFIG_SEQUENCE_LENGTH */
function rowOf({ sizes, perRow, field }: Kind, sequenceLength: number | null): number {
  const longest = sizes.reduce((most, { length }) => Math.max(most, length), 0);
  const needed = (perRow ?? 1) * longest;
  if (sequenceLength === null || sequenceLength >= needed) return needed;
  throw new TransfusionError({
    code: 'CONFIG_SEQUENCE_LENGTH',
    message: `batch.sequenceLength is ${sequenceLength}, and ${perRow ?? 1} documents of a row (batch.${field}) take up to ${longest} positions each: some would find no room`,
    fix: `raise batch.sequenceLength to ${needed}, leave it out, or lower batch.${field} to ${Math.floor(sequenceLength / longest)}`,
  });
}

/** Of each size of images, how many a row has at most. */
function mostImages({ sizes, perRow }: Kind, sequenceLength: number): { grid: ImageGrid; images: number }[] {
  const most = new Map<string, { grid: ImageGrid; images: number }>();
  for (const { grids, length } of sizes) {
    // Filled rows: no row has more than one of nothing but such documents, the last of them in part.
    const times = perRow ?? sequenceLength / length;
    const counts = new Map<string, { grid: ImageGrid; images: number }>();
    for (const { height, width } of grids) {
      const key = `${height} x ${width}`;
      counts.set(key, { grid: { height, width }, images: (counts.get(key)?.images ?? 0) + times });
    }
    for (const [key, count] of counts) {
      if (count.images > (most.get(key)?.images ?? 0)) most.set(key, count);
    }
  }
  return [...most.values()].map(({ grid, images }) => ({ grid, images: Math.floor(images + 1e-9) }));
}
