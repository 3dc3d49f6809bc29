/** @file The scaling table for people. */
import { formatColumns } from '../columns.js';
import { PARTS, type ScalingRow } from './measure-scaling.js';

const HEAD = ['axis', 'tokens', 'width', 'depth', 'GFLOP', 'ms', 'GFLOP/s', 'of the line', ...PARTS];

/** A row off the straight line by more than this is marked. */
const MARKED = 0.15;

export function formatScaling(rows: readonly ScalingRow[], backend: string): string {
  const lines = rows.map((row, i) => [
    row.axis === rows[i - 1]?.axis ? '' : row.axis,
    String(row.tokens),
    String(row.channels),
    String(row.layers),
    threeDigits(row.gflop),
    threeDigits(row.milliseconds),
    threeDigits(row.gflopPerSecond),
    `${row.ofLine.toFixed(2)} x${Math.abs(row.ofLine - 1) > MARKED ? ' *' : ''}`,
    ...PARTS.map((part) => `${(100 * row.shares[part]).toFixed(0)} %`),
  ]);
  return [
    `scaling of the training step on ${backend}; the line is the speed of the base size, * more than ${100 * MARKED} % off it`,
    formatColumns([HEAD, ...lines]),
  ].join('\n');
}

function threeDigits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
