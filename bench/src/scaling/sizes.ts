/** @file The training steps of the scaling table: a base size, and each of three axes varied by itself. */

export interface StepSize {
  /** Rows of 256 tokens. */
  rows: number;
  channels: number;
  layers: number;
}

export type Axis = 'tokens' | 'width' | 'depth';

export interface ScalingPoint extends StepSize {
  axis: Axis;
}

export const BASE: StepSize = { rows: 4, channels: 256, layers: 6 };

const FULL = { rows: [1, 2, 4, 8, 16], channels: [64, 128, 256, 512], layers: [1, 3, 6, 12] };
const QUICK = { rows: [1, 4], channels: [64, 256], layers: [1, 6] };

/** The base size is in each axis. */
export function scalingPoints(quick: boolean): ScalingPoint[] {
  const { rows, channels, layers } = quick ? QUICK : FULL;
  return [
    ...rows.map((value): ScalingPoint => ({ axis: 'tokens', ...BASE, rows: value })),
    ...channels.map((value): ScalingPoint => ({ axis: 'width', ...BASE, channels: value })),
    ...layers.map((value): ScalingPoint => ({ axis: 'depth', ...BASE, layers: value })),
  ];
}

export function sizeKey({ rows, channels, layers }: StepSize): string {
  return `${rows} ${channels} ${layers}`;
}
