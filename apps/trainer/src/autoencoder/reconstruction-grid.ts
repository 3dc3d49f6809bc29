/** @file Pictures, and below each what an autoencoder makes of it. */
import { encodePng, imageGrid, type RgbImage } from '@transfusion/data';

/** A PNG file: rows of eight pictures, and below each its reconstruction. */
export function reconstructionGrid(originals: readonly RgbImage[], reconstructions: readonly RgbImage[]): Uint8Array {
  const columns = Math.min(8, originals.length);
  const cells: RgbImage[] = [];
  for (let start = 0; start < originals.length; start += columns) {
    const row = originals.slice(start, start + columns);
    const blank = { ...row[0], data: new Float32Array(row[0].data.length).fill(1) };
    const fill = Array.from({ length: columns - row.length }, () => blank);
    cells.push(...row, ...fill, ...reconstructions.slice(start, start + columns), ...fill);
  }
  return encodePng(imageGrid(cells, { columns, scale: Math.max(1, Math.floor(128 / originals[0].width)), gap: 4 }));
}
