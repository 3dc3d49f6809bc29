/** @file Where a patch is in its image, added to its vector: fixed sines and cosines of its column and row (DiT, arXiv 2212.09748). */
import { constant, type Tensor } from '@transfusion/tensor';
import type { LatentSize } from './patchers/patcher.js';

const BASE = 10_000;

/**
 * [1, patches, channels]: half of the channels tell the column, half the row, each as sines and then cosines at frequencies from 1
 * down to nearly 1 / 10,000. Attention can so find the patch at the same place of another image, whatever stands between the two.
 */
export function patchCoordinates(size: LatentSize, { patchSize, channels }: PatchSizes): Tensor {
  const [rows, columns] = [size.height / patchSize, size.width / patchSize];
  const values = Array.from({ length: rows * columns }, (_, patch) => [
    ...sinusoid(patch % columns, channels / 2),
    ...sinusoid(Math.floor(patch / columns), channels / 2),
  ]);
  return constant(Float32Array.from(values.flat()), [1, rows * columns, channels]);
}

interface PatchSizes {
  patchSize: number;
  /** A multiple of 4. */
  channels: number;
}

function sinusoid(coordinate: number, channels: number): number[] {
  const half = channels / 2;
  const angles = Array.from({ length: half }, (_, i) => coordinate * BASE ** (-i / half));
  return [...angles.map(Math.sin), ...angles.map(Math.cos)];
}
