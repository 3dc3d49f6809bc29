/** @file Documents packed into fixed-length rows: the exact inputs of a training step. */
import { TransfusionError } from '@transfusion/core';
import { type ControlTokens, type Document, documentLength } from './document.js';

export interface PackOptions {
  /** Rows of the batch, B. */
  rows: number;
  /** Positions of a row, T. */
  sequenceLength: number;
  /** Patches of an image, n. */
  patchesPerImage: number;
  /** Values of a patch, k. */
  patchValues: number;
  /** Image slots of a row, I. */
  maxImagesPerRow: number;
  special: Pick<ControlTokens, 'boi' | 'eoi' | 'pad'>;
}

/** Where an image went. */
export interface PackedImage {
  /** Index into the documents given. */
  document: number;
  row: number;
  /** The image's slot in its row, in [0, I). */
  slot: number;
  /** Position of its first patch in its row. */
  start: number;
  /** Its timesteps are capped (see `drawTimesteps`). */
  imageFirst: boolean;
}

/** Where a document went: positions [begin, end) of its row. */
export interface PackedDocument {
  document: number;
  row: number;
  begin: number;
  end: number;
}

/** B rows, T positions, I image slots, n patches per image, k values per patch. */
export interface PackedBatch {
  rows: number;
  sequenceLength: number;
  maxImagesPerRow: number;
  patchesPerImage: number;
  patchValues: number;
  /** i32 [B, T]: the id at text and control positions, -1 at patches, the padding id after the last document. */
  tokens: Int32Array;
  /** i32 [B, T]: at a patch its row in the patches flattened to [B I n], else -1. */
  patchIndex: Int32Array;
  /** i32 [B, I, n]: b T + t of each patch; -1 in unused slots. */
  patchPositions: Int32Array;
  /** i32 [B, T]: position for RoPE, from 0 in every document; 0 at padding. */
  positions: Int32Array;
  /** i32 [B, T]: first key the position sees, in its row: the start of its document. Padding sees only itself. */
  begin: Int32Array;
  /** i32 [B, T]: one past the last key it sees: itself, or for a patch the last patch of its image. */
  end: Int32Array;
  /**
   * i32 [B, T]: the next token, -1 where there is no language loss: BOI and patches as input (paper footnote 8), a
   * document's last position, padding.
   */
  targets: Int32Array;
  /** f32 [B, I, n, k]: clean images; zeros in unused slots. */
  latents: Float32Array;
  /** f32 [B, I]: 1 in used slots. */
  imageMask: Float32Array;
  images: PackedImage[];
  documents: PackedDocument[];
  /** Documents that found no room, as indices into the documents given. */
  unplaced: number[];
}

function documentError(code: string, index: number, message: string, fix: string): TransfusionError {
  return new TransfusionError({ code, message: `packDocuments: documents[${index}] ${message}`, fix });
}

/** Throws where a document cannot stand in any row, or does not have the declared sizes. */
function checkDocument(document: Document, index: number, length: number, options: PackOptions): void {
  const { sequenceLength, patchesPerImage, patchValues, maxImagesPerRow } = options;
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
  let images = 0;
  for (const part of document.parts) {
    if (part.kind === 'text') {
      const bad = Array.prototype.find.call(part.ids, (id: number) => !Number.isInteger(id) || id < 0);
      if (bad !== undefined) {
        throw documentError(
          'DATA_TOKEN_ID',
          index,
          `has token id ${bad}`,
          'ids are integers from 0, as encode returns them',
        );
      }
      continue;
    }
    images++;
    if (part.latents.length !== patchesPerImage * patchValues) {
      throw documentError(
        'DATA_IMAGE_SHAPE',
        index,
        `has an image of ${part.latents.length} values, expected [${patchesPerImage}, ${patchValues}] = ${patchesPerImage * patchValues}`,
        'resize images to the configured size and pass them through patchify',
      );
    }
  }
  if (images > maxImagesPerRow) {
    throw documentError(
      'DATA_TOO_MANY_IMAGES',
      index,
      `has ${images} images, a row has ${maxImagesPerRow} image slots`,
      `raise maxImagesPerRow to at least ${images}`,
    );
  }
}

function checkOptions(options: PackOptions): void {
  for (const name of ['rows', 'sequenceLength', 'patchesPerImage', 'patchValues', 'maxImagesPerRow'] as const) {
    const least = name === 'maxImagesPerRow' ? 0 : 1;
    if (!Number.isInteger(options[name]) || options[name] < least) {
      throw new TransfusionError({
        code: 'DATA_PACK_OPTIONS',
        message: `packDocuments: ${name} is ${options[name]}, expected an integer from ${least}`,
      });
    }
  }
}

function emptyBatch(options: PackOptions): PackedBatch {
  const { rows, sequenceLength, patchesPerImage, patchValues, maxImagesPerRow } = options;
  const positionCount = rows * sequenceLength;
  const slots = rows * maxImagesPerRow;
  const withinRow = Int32Array.from({ length: positionCount }, (_, i) => i % sequenceLength);
  return {
    rows,
    sequenceLength,
    maxImagesPerRow,
    patchesPerImage,
    patchValues,
    tokens: new Int32Array(positionCount).fill(options.special.pad),
    patchIndex: new Int32Array(positionCount).fill(-1),
    patchPositions: new Int32Array(slots * patchesPerImage).fill(-1),
    positions: new Int32Array(positionCount),
    begin: withinRow,
    end: withinRow.map((t) => t + 1),
    targets: new Int32Array(positionCount).fill(-1),
    latents: new Float32Array(slots * patchesPerImage * patchValues),
    imageMask: new Float32Array(slots),
    images: [],
    documents: [],
    unplaced: [],
  };
}

/** Writes one document into its row at `begin`; its images take slots from `slot`. */
function writeDocument(
  batch: PackedBatch,
  document: Document,
  place: { document: number; row: number; begin: number; slot: number },
  special: PackOptions['special'],
): void {
  const { sequenceLength, maxImagesPerRow, patchesPerImage, patchValues } = batch;
  const rowStart = place.row * sequenceLength;
  let slot = place.slot;
  let t = place.begin;

  const writePosition = (token: number, end: number) => {
    const at = rowStart + t;
    batch.tokens[at] = token;
    batch.positions[at] = t - place.begin;
    batch.begin[at] = place.begin;
    batch.end[at] = end;
    // The previous position predicts this token, unless it is a BOI or a patch.
    if (t > place.begin && token >= 0 && batch.tokens[at - 1] >= 0 && batch.tokens[at - 1] !== special.boi) {
      batch.targets[at - 1] = token;
    }
    t++;
  };

  for (const part of document.parts) {
    if (part.kind === 'text') {
      for (let i = 0; i < part.ids.length; i++) writePosition(part.ids[i], t + 1);
      continue;
    }
    const flatSlot = place.row * maxImagesPerRow + slot;
    writePosition(special.boi, t + 1);
    const start = t;
    for (let patch = 0; patch < patchesPerImage; patch++) {
      batch.patchIndex[rowStart + t] = flatSlot * patchesPerImage + patch;
      batch.patchPositions[flatSlot * patchesPerImage + patch] = rowStart + t;
      writePosition(-1, start + patchesPerImage);
    }
    writePosition(special.eoi, t + 1);
    batch.latents.set(part.latents, flatSlot * patchesPerImage * patchValues);
    batch.imageMask[flatSlot] = 1;
    const imageFirst = part.imageFirst ?? false;
    batch.images.push({ document: place.document, row: place.row, slot, start, imageFirst });
    slot++;
  }
  batch.documents.push({ document: place.document, row: place.row, begin: place.begin, end: t });
}

/**
 * Packs documents into rows, first fit in the given order: each goes into the first row that has room for its
 * positions and images; a document never crosses the end of a row, and never sees another document. Documents without
 * room are listed in `unplaced`. The result depends on the arguments only.
 *
 * @throws TransfusionError DATA_DOCUMENT_TOO_LONG, DATA_TOO_MANY_IMAGES: no empty row could hold the document;
 *   DATA_IMAGE_SHAPE, DATA_TOKEN_ID, DATA_DOCUMENT_EMPTY, DATA_PACK_OPTIONS: it is not what the options declare.
 */
export function packDocuments(documents: Document[], options: PackOptions): PackedBatch {
  checkOptions(options);
  const lengths = documents.map((document) => documentLength(document, options.patchesPerImage));
  documents.forEach((document, index) => {
    checkDocument(document, index, lengths[index], options);
  });
  const batch = emptyBatch(options);
  const usedPositions = new Array<number>(options.rows).fill(0);
  const usedSlots = new Array<number>(options.rows).fill(0);

  documents.forEach((document, index) => {
    const images = document.parts.filter((part) => part.kind === 'image').length;
    const row = usedPositions.findIndex(
      (used, r) => used + lengths[index] <= options.sequenceLength && usedSlots[r] + images <= options.maxImagesPerRow,
    );
    if (row === -1) {
      batch.unplaced.push(index);
      return;
    }
    const place = { document: index, row, begin: usedPositions[row], slot: usedSlots[row] };
    writeDocument(batch, document, place, options.special);
    usedPositions[row] += lengths[index];
    usedSlots[row] += images;
  });
  return batch;
}
