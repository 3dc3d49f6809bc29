/** @file How queries and keys are turned by position: rotary embedding (Su et al. 2021), along the sequence or in two dimensions. */
import { rope, ropeTable, type Tensor } from '@transfusion/tensor';
import type { ModelConfig } from './config.js';

/** i32 [B, T] each. */
export interface RotaryPositions {
  /** Along the sequence; with 2-D positions the row. */
  positions: Tensor;
  /** With 2-D positions the column; may be left out where all is text, whose row and column are one number. */
  columns?: Tensor;
}

/** Turns queries or keys [B, T, heads, headDim]. */
export type Rotation = (x: Tensor) => Tensor;

/**
 * In one dimension, pair i of every head turns by the position, at its frequency theta^(-2i / headDim). In two, even pairs turn
 * by the row and odd ones by the column, at the same frequencies: where both are one number, as at text, that is the rotation in
 * one dimension. Each of the two leaves the other's pairs alone: it multiplies them by 1 and adds 0.
 */
export function rotationOf(
  { imagePositions, maxPositions, channels, heads, ropeTheta }: ModelConfig,
  { positions, columns }: RotaryPositions,
): Rotation {
  const options = { positions: maxPositions, headDim: channels / heads, theta: ropeTheta };
  if (imagePositions !== '2d' || !columns) {
    const table = ropeTable(options);
    return (x) => rope(x, positions, table);
  }
  const byRow = ropeTable({ ...options, turns: (pair) => pair % 2 === 0 });
  const byColumn = ropeTable({ ...options, turns: (pair) => pair % 2 === 1 });
  return (x) => rope(rope(x, positions, byRow), columns, byColumn);
}
