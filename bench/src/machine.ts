/** @file Where the numbers were measured. */
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';

export interface Machine {
  cpu: string;
  /** Cores this process may use. */
  cores: number;
  memoryGiB: number;
  platform: string;
  node: string;
  /** One minute's load average at the start: others' work disturbs the numbers. */
  loadAverage: number;
  /** WebGPU adapter, once a row has opened it. */
  adapter?: string;
  /** ISO 8601. */
  date: string;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    loadAverage: Number(loadavg()[0].toFixed(2)),
    date: new Date().toISOString(),
  };
}
