/** @file Where the patches of an image stand, and which of them they see: by this training packs sequences and sampling extends them. */
import type { ImageGrid } from './document.js';
import { patchCount } from './grammar.js';

/** How a model reads images. The fields are those of its configuration; the defaults are the paper's. */
export interface ImageReading {
  /** Side of a patch, in pixels of the latent image. */
  patchSize: number;
  /** What a patch sees of its own image: all of it, or itself and what comes before. */
  imageAttention?: 'bidirectional' | 'causal';
  /** Rotary positions: along the sequence, or by row and column. */
  imagePositions?: '1d' | '2d';
}

export interface PatchPlace {
  /** Rotary position, from that of the image's first patch; in two dimensions that of its row. */
  position: number;
  /** In two dimensions the rotary position of its column; else the same. */
  column: number;
  /** How many of the image's patches it sees, from the first. */
  sees: number;
}

export interface PatchPlaces {
  /** Left to right, top to bottom. */
  patches: PatchPlace[];
  /** How much further than the first patch what follows the image is; in two dimensions the longer side (as in Qwen2-VL, arXiv 2409.12191). */
  advance: number;
}

/** @throws TransfusionError DATA_PATCH_SIZE: the image does not divide into patches */
export function patchPlaces(grid: ImageGrid, reading: ImageReading): PatchPlaces {
  const { patchSize, imageAttention, imagePositions } = reading;
  const count = patchCount(grid, patchSize);
  const [rows, columns] = [grid.height / patchSize, grid.width / patchSize];
  const is2d = imagePositions === '2d';
  const patches = Array.from({ length: count }, (_, i) => ({
    position: is2d ? Math.floor(i / columns) : i,
    column: is2d ? i % columns : i,
    sees: imageAttention === 'causal' ? i + 1 : count,
  }));
  return { patches, advance: is2d ? Math.max(rows, columns) : count };
}
