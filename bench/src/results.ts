/** @file `bench/results.json` and the table: what was measured, for machines and for people. */
import { formatColumns } from './columns.js';
import type { Speed } from './contestant.js';
import type { BackendName } from './engines/engine.js';
import type { Machine } from './machine.js';
import type { Measurement } from './measure.js';
import { formatScaling } from './scaling/format-scaling.js';
import type { ScalingRow } from './scaling/measure-scaling.js';

export interface ResultRow {
  name: string;
  backend: BackendName;
  title: string;
  unit: string;
  /** Units per second, median of interleaved repeats. */
  ours: number;
  rivals: Record<string, number>;
  /** ours / value: above 1 where we are faster. */
  ratios: Record<string, number>;
  /** The same speeds in GFLOP/s, by engine, where the unit is another. */
  gflopPerSecond?: Record<string, number>;
  /** Device memory, by engine that tells. */
  deviceMebibytes?: Record<string, number>;
  /** By engine: what ran, the slowest and the fastest repeat, their number. */
  engines: Record<string, { description: string; slowest: number; fastest: number; repeats: number }>;
  /** Engines that could not run it, and why; less work than the full row. */
  notes?: string[];
}

export interface Results {
  machine: Machine;
  rows: ResultRow[];
  /** How the training step grows, by backend. */
  scaling?: Partial<Record<BackendName, ScalingRow[]>>;
  /** Rows that our own engine did not run, and why. */
  skipped?: { name: string; backend: BackendName; reason: string }[];
}

export function resultRow(name: string, backend: BackendName, measurement: Measurement): ResultRow {
  const { speeds, absent, gflopPerUnit } = measurement;
  const ours = speeds.get('ours')!;
  const rivals = [...speeds].filter(([engine]) => engine !== 'ours');
  const notes = [
    ...(measurement.reduced ? [measurement.reduced] : []),
    ...[...absent].map(([engine, reason]) => `${engine} does not run it: ${reason}`),
  ];
  const byEngine = <T>(value: (speed: Speed) => T, entries: [string, Speed][] = [...speeds]) =>
    Object.fromEntries(entries.map(([engine, speed]) => [engine, value(speed)]));
  return {
    name,
    backend,
    title: measurement.title,
    unit: measurement.unit,
    ours: round(ours.value),
    rivals: byEngine(({ value }) => round(value), rivals),
    ratios: byEngine(({ value }) => round(ours.value / value), rivals),
    ...(gflopPerUnit === undefined ? {} : { gflopPerSecond: byEngine(({ value }) => round(value * gflopPerUnit)) }),
    ...(measurement.deviceBytes.size === 0 ? {} : { deviceMebibytes: mebibytes(measurement.deviceBytes) }),
    engines: byEngine(({ description, range, repeats }) => ({
      description,
      slowest: round(range[0]),
      fastest: round(range[1]),
      repeats,
    })),
    ...(notes.length > 0 ? { notes } : {}),
  };
}

function mebibytes(bytes: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...bytes].map(([engine, value]) => [engine, round(value / 2 ** 20)]));
}

/** Three significant digits, whole above 100. */
function round(value: number): number {
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** The rows as an aligned table, one line per engine, and what did not run. */
export function formatTable(results: Results): string {
  const head = ['row', 'backend', 'engine', 'speed', 'range', 'memory', 'ours is'];
  const table = formatColumns([head, ...results.rows.flatMap(rowLines)]);
  const notes = results.rows.flatMap(({ name, backend, notes = [] }) =>
    notes.map((note) => `${name} on ${backend}: ${note}`),
  );
  const skipped = (results.skipped ?? []).map(
    ({ name, backend, reason }) => `${name} on ${backend}: not run: ${reason}`,
  );
  const scaling = Object.entries(results.scaling ?? {}).map(([backend, rows]) => formatScaling(rows, backend));
  const parts = [results.rows.length > 0 ? table : '', ...scaling, [...notes, ...skipped].join('\n')];
  return parts.filter((part) => part !== '').join('\n\n');
}

function rowLines(row: ResultRow): string[][] {
  return Object.entries(row.engines).map(([engine, { slowest, fastest, repeats }], i) => {
    const value = engine === 'ours' ? row.ours : row.rivals[engine];
    const memory = row.deviceMebibytes?.[engine];
    const gflops = row.gflopPerSecond ? ` (${row.gflopPerSecond[engine]} GFLOP/s)` : '';
    const ratio = row.ratios[engine];
    return [
      i === 0 ? row.name : '',
      i === 0 ? row.backend : '',
      engine,
      `${value} ${row.unit}${gflops}`,
      `${slowest} to ${fastest} in ${repeats}`,
      memory === undefined ? '' : `${memory} MiB`,
      ratio === undefined ? '' : `${ratio.toFixed(2)} x`,
    ];
  });
}
