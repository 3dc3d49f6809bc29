/** @file The files of a run. */
import { join } from 'node:path';

/** Where a run keeps its files. */
export function runFiles(folder: string) {
  return {
    /** The checkpoint: a model folder with the trainer's state. */
    model: join(folder, 'model'),
    metrics: join(folder, 'metrics.jsonl'),
    samples: join(folder, 'samples'),
    report: join(folder, 'report.html'),
  };
}
