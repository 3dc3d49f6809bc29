/** @file `metrics.jsonl`: one JSON object a line, appended while training. */
import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CheckpointError } from '../errors.js';
import { errorCode, fileError } from './file-errors.js';

export type MetricsRecord = Record<string, unknown>;

function parseLine(line: string): MetricsRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as MetricsRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** The records of a file's text; `torn` where its last line was cut by a crash. */
function parseMetrics(text: string, path: string): { records: MetricsRecord[]; torn: boolean } {
  // An editor may have put a byte order mark in front.
  const lines = text.replace(/^\ufeff/, '').split('\n');
  const last = lines.pop() ?? '';
  const records = lines.map((line, i) => {
    const record = parseLine(line);
    if (record) return record;
    throw new CheckpointError({
      code: 'CHECKPOINT_FORMAT',
      message: `${path}: line ${i + 1} is not a JSON object: ${JSON.stringify(line.slice(0, 60))}`,
      fix: 'delete that line, or move the file away',
    });
  });
  return { records, torn: last !== '' };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '';
    throw fileError('CHECKPOINT_READ_FAILED', `cannot read ${path}`, error);
  }
}

/** The records of a metrics file; none where there is no file. A torn last line is left out. */
export async function readMetrics(path: string): Promise<MetricsRecord[]> {
  return parseMetrics(await readText(path), path).records;
}

/** Appends records to a metrics file. */
export class MetricsFile {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Opens a file for appending, and makes it if there is none. Mends a torn last line, and with `resumeStep` drops the
   * records of later steps, which will be trained again.
   *
   * @throws CheckpointError CHECKPOINT_FORMAT, CHECKPOINT_READ_FAILED, CHECKPOINT_WRITE_FAILED
   */
  static async open(path: string, options: { resumeStep?: number } = {}): Promise<MetricsFile> {
    const { resumeStep = Number.POSITIVE_INFINITY } = options;
    const { records, torn } = parseMetrics(await readText(path), path);
    const kept = records.filter(({ step }) => typeof step !== 'number' || step <= resumeStep);
    const temporary = `${path}.${randomUUID()}.tmp`;
    try {
      await mkdir(dirname(path), { recursive: true });
      if (torn || kept.length < records.length) {
        await writeFile(temporary, kept.map((record) => `${JSON.stringify(record)}\n`).join(''));
        await rename(temporary, path);
      } else {
        await appendFile(path, '');
      }
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      throw fileError('CHECKPOINT_WRITE_FAILED', `cannot write ${path}`, error);
    }
    return new MetricsFile(path);
  }

  /** Appends one line. NaN and infinities become null, as JSON has none. */
  async append(record: MetricsRecord): Promise<void> {
    try {
      await appendFile(this.path, `${JSON.stringify(record)}\n`);
    } catch (error) {
      throw fileError('CHECKPOINT_WRITE_FAILED', `cannot write ${this.path}`, error);
    }
  }
}
