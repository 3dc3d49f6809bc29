/** @file Edits as a picture: what was given, what was drawn, and what was to be drawn. */
import { encodePng, imageGrid, type RgbImage } from '@transfusion/data';

export interface ShownEdit {
  given: RgbImage;
  /** Of the result's size. */
  drawn: RgbImage;
  result: RgbImage;
}

/** Edits of a row. */
const PER_ROW = 4;

/** A PNG file: rows of four edits, each of three pictures: given, drawn, the result. */
export function editGrid(edits: readonly ShownEdit[]): Uint8Array {
  const cells = edits.flatMap(({ given, drawn, result }) => [given, drawn, result]);
  return encodePng(imageGrid(cells, { columns: 3 * Math.min(PER_ROW, edits.length), gap: 4 }));
}
