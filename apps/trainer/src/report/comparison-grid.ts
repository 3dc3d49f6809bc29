/** @file Pictures, and below each its counterpart: what a model drew, or an autoencoder gave back. */
import { encodePng, imageGrid, type RgbImage } from '@transfusion/data';

/** A PNG file: rows of eight pictures, below each row its counterparts. Small pictures are enlarged to about `side` pixels. */
export function comparisonGrid(
  pictures: readonly RgbImage[],
  counterparts: readonly RgbImage[],
  side = 72,
): Uint8Array {
  const columns = Math.min(8, pictures.length);
  const cells: RgbImage[] = [];
  for (let start = 0; start < pictures.length; start += columns) {
    const row = pictures.slice(start, start + columns);
    const blank = { ...row[0], data: new Float32Array(row[0].data.length).fill(1) };
    const fill = Array.from({ length: columns - row.length }, () => blank);
    cells.push(...row, ...fill, ...counterparts.slice(start, start + row.length), ...fill);
  }
  return encodePng(imageGrid(cells, { columns, scale: Math.max(1, Math.floor(side / pictures[0].width)), gap: 4 }));
}
