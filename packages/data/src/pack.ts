/** @file Documents packed into fixed-length rows: the exact inputs of a training step. */
import { TransfusionError } from '@transfusion/core';
import type { Document, ImageGrid, ImagePart, ImageRole } from './document.js';
import { type LayoutOptions, layOut } from './document-layout.js';
import { type ControlTokens, documentLength, patchCount } from './grammar.js';
import { imagesInRow } from './sections.js';

/** Images of one size, and how many of them a batch has room for. */
export interface GridSlots extends ImageGrid {
  slots: number;
}

export interface PackOptions extends LayoutOptions {
  /** Rows of the batch, B. */
  rows: number;
  /** Positions of a row, T. */
  sequenceLength: number;
  /** Sizes of latent images. Each is a group of the batch. */
  grids: readonly GridSlots[];
  /** Of the latents. */
  channels: number;
  /** Documents with images that may share a row; default: as many as there is room for. */
  imageDocumentsPerRow?: number;
  special: Pick<ControlTokens, 'boi' | 'eoi' | 'pad'>;
}

/** Where an image went. */
export interface PackedImage {
  /** Index into the documents given. */
  document: number;
  row: number;
  /** Index into the groups. */
  group: number;
  /** The image's slot in its group. */
  slot: number;
  /** Position of its first patch in its row. */
  start: number;
  /** With clean context, what is to be denoised stands there a second time, as context. */
  role: ImageRole;
  /** See `ImagePart.noiseCap`. */
  noiseCap?: number;
}

/** Where a document went: positions [begin, end) of its row. */
export interface PackedDocument {
  document: number;
  row: number;
  begin: number;
  end: number;
}

/** The images of one size: I slots, n patches each. */
export interface PackedGroup extends GridSlots {
  /** n, per image. */
  patches: number;
  /** f32 [I, height, width, channels]: clean latents; zeros in unused slots. */
  latents: Float32Array;
  /** i32 [B, T]: at a patch of this group its row in the patches flattened to [I n], else -1. */
  patchIndex: Int32Array;
  /** i32 [I, n]: b T + t of each patch; -1 in unused slots. */
  patchPositions: Int32Array;
  /** f32 [I]: 1 where an image is to be denoised; 0 in unused slots, and at images that are only looked at. */
  mask: Float32Array;
}

/** B rows, T positions. */
export interface PackedBatch {
  rows: number;
  sequenceLength: number;
  /** i32 [B, T]: the id at text and control positions, -1 at patches, the padding id after the last document. */
  tokens: Int32Array;
  /** i32 [B, T]: position for RoPE, from 0 in every document; 0 at padding. With 2-D positions that of the row. */
  positions: Int32Array;
  /** i32 [B, T]: with 2-D positions that of the column, which at text is the same; else not there. */
  columns?: Int32Array;
  /** i32 [B, T]: first key the position sees, in its row: the start of its document. Padding sees only itself. */
  begin: Int32Array;
  /** i32 [B, T]: one past the last key it sees: itself, or for a patch the last patch of its image. */
  end: Int32Array;
  /**
   * i32 [B, T]: the next token, -1 where there is no language loss: BOI and patches as input (paper footnote 8), before a text
   * without loss, a document's last position, padding.
   */
  targets: Int32Array;
  /** In the order of the grids. */
  groups: PackedGroup[];
  images: PackedImage[];
  documents: PackedDocument[];
  /** Documents that found no room, as indices into the documents given. */
  unplaced: number[];
}

function documentError(code: string, index: number, message: string, fix: string): TransfusionError {
  return new TransfusionError({ code, message: `packDocuments: documents[${index}] ${message}`, fix });
}

/** How many images of each grid a document has in its row. */
function imagesByGrid(document: Document, { grids, imageContext }: PackOptions): number[] {
  const images = imagesInRow(document, imageContext);
  return grids.map((grid) => images.filter((image) => isOn(grid, image)).length);
}

function isOn(grid: ImageGrid, { height, width }: ImageGrid): boolean {
  return grid.height === height && grid.width === width;
}

/** Throws where a document cannot stand in any row, or does not have the declared sizes. */
function checkDocument(document: Document, index: number, options: PackOptions): void {
  const { sequenceLength, channels, grids, patchSize, imageContext } = options;
  for (const part of document.parts) {
    if (part.kind === 'text') checkIds(part.ids, index);
    else {
      checkImage(part, index, channels, grids);
      if (part.sizeToken !== undefined) checkIds([part.sizeToken], index);
    }
  }
  const length = documentLength(document, patchSize, imageContext);
  if (length === 0) {
    throw documentError('DATA_DOCUMENT_EMPTY', index, 'has no tokens and no images', 'leave empty documents out');
  }
  if (length > sequenceLength) {
    throw documentError(
      'DATA_DOCUMENT_TOO_LONG',
      index,
      `takes ${length} positions, a row has ${sequenceLength}`,
      `raise the sequence length to at least ${length}, or split the document`,
    );
  }
  imagesByGrid(document, options).forEach((count, group) => {
    const { height, width, slots } = grids[group];
    if (count <= slots) return;
    throw documentError(
      'DATA_TOO_MANY_IMAGES',
      index,
      `has ${count} images of ${width} x ${height}, a batch has room for ${slots}`,
      `raise the slots of that grid to at least ${count}`,
    );
  });
}

function checkIds(ids: ArrayLike<number>, index: number): void {
  // Ids are stored as i32.
  const at = Array.prototype.findIndex.call(ids, (id: number) => !Number.isInteger(id) || id < 0 || id > 0x7fffffff);
  if (at === -1) return;
  throw documentError(
    'DATA_TOKEN_ID',
    index,
    `has token id ${ids[at]}`,
    'ids are integers from 0, as encode returns them',
  );
}

function checkImage(image: ImagePart, index: number, channels: number, grids: readonly GridSlots[]): void {
  const { height, width, latents } = image;
  if (!grids.some((grid) => isOn(grid, image))) {
    throw documentError(
      'DATA_IMAGE_GRID',
      index,
      `has an image of ${width} x ${height}, the batch has images of ${grids.map((grid) => `${grid.width} x ${grid.height}`).join(', ') || 'no size'}`,
      'add its size to the grids',
    );
  }
  if (latents.length !== height * width * channels) {
    throw documentError(
      'DATA_IMAGE_SHAPE',
      index,
      `has an image of ${latents.length} values, expected [${height}, ${width}, ${channels}] = ${height * width * channels}`,
      'encode images with the codec whose latents the model diffuses',
    );
  }
}

function checkOptions(options: PackOptions): void {
  const { rows, sequenceLength, channels, patchSize, grids, imageDocumentsPerRow = 1 } = options;
  const sizes: [string, number, number][] = [
    ...Object.entries({ rows, sequenceLength, channels, patchSize, imageDocumentsPerRow }).map(
      ([name, value]): [string, number, number] => [name, value, 1],
    ),
    ...grids.flatMap(({ height, width, slots }, i): [string, number, number][] => [
      [`grids[${i}].height`, height, 1],
      [`grids[${i}].width`, width, 1],
      [`grids[${i}].slots`, slots, 0],
    ]),
  ];
  for (const [name, value, least] of sizes) {
    if (Number.isInteger(value) && value >= least) continue;
    throw new TransfusionError({
      code: 'DATA_PACK_OPTIONS',
      message: `packDocuments: ${name} is ${value}, expected an integer from ${least}`,
    });
  }
  const twice = grids.findIndex((grid, i) => grids.findIndex((other) => isOn(other, grid)) < i);
  if (twice === -1) return;
  throw new TransfusionError({
    code: 'DATA_PACK_OPTIONS',
    message: `packDocuments: grids[${twice}] is ${grids[twice].width} x ${grids[twice].height}, as one before it`,
    fix: 'declare each size once, with all its slots',
  });
}

function emptyBatch(options: PackOptions): PackedBatch {
  const { rows, sequenceLength, grids, channels, patchSize, special, imagePositions } = options;
  const positionCount = rows * sequenceLength;
  const withinRow = Int32Array.from({ length: positionCount }, (_, i) => i % sequenceLength);
  return {
    rows,
    sequenceLength,
    tokens: new Int32Array(positionCount).fill(special.pad),
    positions: new Int32Array(positionCount),
    ...(imagePositions === '2d' ? { columns: new Int32Array(positionCount) } : {}),
    begin: withinRow,
    end: withinRow.map((t) => t + 1),
    targets: new Int32Array(positionCount).fill(-1),
    groups: grids.map(({ height, width, slots }) => {
      const patches = patchCount({ height, width }, patchSize);
      return {
        ...{ height, width, slots, patches },
        latents: new Float32Array(slots * height * width * channels),
        patchIndex: new Int32Array(positionCount).fill(-1),
        patchPositions: new Int32Array(slots * patches).fill(-1),
        mask: new Float32Array(slots),
      };
    }),
    images: [],
    documents: [],
    unplaced: [],
  };
}

/** Writes one document into its row at `begin`; its images take the next slots of their groups. */
function writeDocument(
  batch: PackedBatch,
  document: Document,
  place: { document: number; row: number; begin: number },
  { usedSlots, layout }: { usedSlots: number[]; layout: LayoutOptions },
): void {
  const rowStart = place.row * batch.sequenceLength;
  const { positions, images } = layOut(document, layout);
  positions.forEach(({ token, position, column, begin, end, target }, i) => {
    const at = rowStart + place.begin + i;
    batch.tokens[at] = token;
    batch.positions[at] = position;
    if (batch.columns) batch.columns[at] = column;
    batch.begin[at] = place.begin + begin;
    batch.end[at] = place.begin + end;
    batch.targets[at] = target;
  });
  for (const { image, role, places } of images) {
    const group = batch.groups.findIndex((grid) => isOn(grid, image));
    const { patches, patchIndex, patchPositions, latents, mask } = batch.groups[group];
    const slot = usedSlots[group]++;
    places.forEach((at, patch) => {
      patchIndex[rowStart + place.begin + at] = slot * patches + patch;
      patchPositions[slot * patches + patch] = rowStart + place.begin + at;
    });
    latents.set(image.latents, slot * image.latents.length);
    mask[slot] = role === 'target' ? 1 : 0;
    const cap = image.noiseCap === undefined ? {} : { noiseCap: image.noiseCap };
    const start = place.begin + places[0];
    batch.images.push({ document: place.document, row: place.row, group, slot, start, role, ...cap });
  }
  batch.documents.push({
    document: place.document,
    row: place.row,
    begin: place.begin,
    end: place.begin + positions.length,
  });
}

/**
 * Packs documents into rows, first fit in the given order: each goes into the first row that has room for it; a document never
 * crosses the end of a row, and never sees another document. Images of one size form a group. Documents without room, in a row
 * or in the groups, are listed in `unplaced`. The result depends on the arguments only.
 *
 * @throws TransfusionError DATA_DOCUMENT_TOO_LONG, DATA_TOO_MANY_IMAGES: no empty batch could hold the document;
 *   DATA_IMAGE_GRID, DATA_IMAGE_SHAPE, DATA_PATCH_SIZE, DATA_TOKEN_ID, DATA_DOCUMENT_EMPTY, DATA_PACK_OPTIONS: it is not what
 *   the options declare.
 */
export function packDocuments(documents: readonly Document[], options: PackOptions): PackedBatch {
  checkOptions(options);
  documents.forEach((document, index) => checkDocument(document, index, options));
  const { rows, sequenceLength, grids, imageDocumentsPerRow = Number.POSITIVE_INFINITY } = options;
  const batch = emptyBatch(options);
  const usedPositions = new Array<number>(rows).fill(0);
  const imageDocuments = new Array<number>(rows).fill(0);
  const usedSlots = grids.map(() => 0);

  documents.forEach((document, index) => {
    const length = documentLength(document, options.patchSize, options.imageContext);
    const images = imagesByGrid(document, options);
    const hasSlots = images.every((count, group) => usedSlots[group] + count <= grids[group].slots);
    const hasImages = images.some((count) => count > 0);
    const row = usedPositions.findIndex(
      (used, r) => used + length <= sequenceLength && (!hasImages || imageDocuments[r] < imageDocumentsPerRow),
    );
    if (row === -1 || !hasSlots) {
      batch.unplaced.push(index);
      return;
    }
    writeDocument(batch, document, { document: index, row, begin: usedPositions[row] }, { usedSlots, layout: options });
    usedPositions[row] += length;
    if (hasImages) imageDocuments[row]++;
  });
  return batch;
}
