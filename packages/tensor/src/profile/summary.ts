/** @file Where the time of a program goes: a table by kind of kernel. */
import type { KernelSpan } from '../program/backend.js';
import { kernelBytes, kernelFlops } from '../program/cost.js';
import { describeKernel, type Kernel, type KernelDescriptor } from '../program/kernels/index.js';
import type { Program } from '../program/program.js';

/** All kernels of one kind in one run. */
export interface ProfileRow {
  /** A matrix product's kind tells which operands are transposed, as in `matmul NT`. */
  kind: string;
  family: KernelDescriptor<Kernel>['family'];
  calls: number;
  /** Median over the runs. */
  seconds: number;
  gflopPerSecond: number;
  gigabytesPerSecond: number;
  /** Of the time of all kernels. */
  share: number;
}

/** Rows by falling time. @param runs the spans of each profiled run of the program */
export function summarise(program: Program, runs: readonly (readonly KernelSpan[])[]): ProfileRow[] {
  const kinds = program.kernels.map(kindOf);
  const rows = [...new Set(kinds)].map((kind) => {
    const kernels = program.kernels.filter((_, i) => kinds[i] === kind);
    const seconds = median(
      runs.map((spans) =>
        spans.reduce((sum, { kernel, start, end }) => sum + (kinds[kernel] === kind ? end - start : 0), 0),
      ),
    );
    const rate = (total: number) => (seconds > 0 ? total / seconds / 1e9 : 0);
    return {
      kind,
      family: describeKernel(kernels[0]).family,
      calls: kernels.length,
      seconds,
      gflopPerSecond: rate(kernels.reduce((sum, kernel) => sum + kernelFlops(kernel), 0)),
      gigabytesPerSecond: rate(kernels.reduce((sum, kernel) => sum + kernelBytes(kernel, program), 0)),
    };
  });
  const total = rows.reduce((sum, { seconds }) => sum + seconds, 0);
  return rows
    .map((row) => ({ ...row, share: total > 0 ? row.seconds / total : 0 }))
    .sort((a, b) => b.seconds - a.seconds);
}

function kindOf(kernel: Kernel): string {
  const variant = describeKernel(kernel).variant?.(kernel);
  return variant === undefined ? kernel.kind : `${kernel.kind} ${variant}`;
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? 0 : sorted[sorted.length >> 1];
}

/** The rows as an aligned table, the sum below. */
export function formatProfile(rows: readonly ProfileRow[]): string {
  const number = (value: number) => (value === 0 ? '' : value >= 100 ? value.toFixed(0) : value.toPrecision(3));
  const total = rows.reduce((sum, { seconds }) => sum + seconds, 0);
  const cells = [
    ['kernel', 'calls', 'ms', 'share', 'GFLOP/s', 'GB/s'],
    ...rows.map((row) => [
      row.kind,
      String(row.calls),
      (1000 * row.seconds).toFixed(3),
      `${(100 * row.share).toFixed(1)} %`,
      number(row.gflopPerSecond),
      number(row.gigabytesPerSecond),
    ]),
    ['all', String(rows.reduce((sum, { calls }) => sum + calls, 0)), (1000 * total).toFixed(3), '', '', ''],
  ];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells
    .map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))))
    .map((row) => row.join('  ').trimEnd())
    .join('\n');
}
