/** @file Measures one row on one backend: results compared, then repeats of all engines interleaved. */
import { EngineProcess } from './engine-process.js';
import { type BackendName, ENGINES, type EngineName, engineSetting } from './engines/engine.js';
import type { Row } from './rows/row.js';
import { median, relativeDifference } from './statistics.js';

export interface MeasureOptions {
  row: Row;
  backend: BackendName;
  /** Rounds of interleaved repeats, at most. */
  repeats: number;
  /** Less work and shorter repeats. */
  quick: boolean;
  /** Tells what is going on. */
  log: (line: string) => void;
}

/** One engine's speed in a row. */
export interface Speed {
  description: string;
  /** Units per second, of the median repeat. */
  value: number;
  /** The slowest and the fastest repeat. */
  range: [number, number];
  repeats: number;
}

export interface Measurement {
  title: string;
  unit: string;
  /** What there was less of than in the full row. */
  reduced?: string;
  /** GFLOP of one unit, where the unit is not GFLOP/s. */
  gflopPerUnit?: number;
  speeds: Map<EngineName, Speed>;
  /** Engines that could not run the row, and why. */
  absent: Map<EngineName, string>;
}

/** A repeat does the work so often that it takes about this long. */
const REPEAT_SECONDS = { full: 0.4, quick: 0.1 };
/** The rounds of a row stop after this long; at least one is run. */
const ROW_SECONDS = { full: 25, quick: 8 };
const TIMEOUT_SECONDS = 150;

interface Contestant {
  engine: EngineProcess;
  description: string;
  timesPerRepeat: number;
  secondsPerRun: number[];
}

/** @throws Error if our own engine does not run the row */
export async function measure(options: MeasureOptions): Promise<Measurement> {
  const { row, backend, quick, log } = options;
  const names = (Object.keys(ENGINES) as EngineName[]).filter((name) => engineSetting(name).backends.includes(backend));
  const contestants: Contestant[] = [];
  const absent = new Map<EngineName, string>();
  let reduced = quick;
  let expected: Float32Array | undefined;
  try {
    for (const name of names) {
      log(`${row.name} on ${backend}: readying ${name}`);
      try {
        const { engine, description, software } = await EngineProcess.open({
          name,
          backend,
          timeoutSeconds: TIMEOUT_SECONDS,
        });
        reduced ||= software;
        contestants.push({ engine, description, timesPerRepeat: 1, secondsPerRun: [] });
        const check = await engine.prepare(row.name, reduced);
        expected ??= check;
        const difference = relativeDifference(check, expected);
        if (!(difference <= row.tolerance)) {
          throw new Error(`its result differs from ours by ${difference.toPrecision(2)}, more than ${row.tolerance}`);
        }
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        const started = contestants.findIndex(({ engine }) => engine.name === name);
        if (started >= 0) await contestants.splice(started, 1)[0].engine.close();
        if (name === 'ours') throw new Error(reason);
        absent.set(name, reason);
      }
    }
    await runRounds(contestants, options);
    const problem = row.problem(reduced);
    const work = row.work(problem);
    const flops = row.flops?.(problem);
    return {
      title: row.title(problem),
      unit: row.unit,
      reduced: reduced ? row.reduced : undefined,
      gflopPerUnit: flops === undefined ? undefined : flops / 1e9 / work,
      speeds: new Map(contestants.map((each) => [each.engine.name, speedOf(each, work)])),
      absent,
    };
  } finally {
    await Promise.all(contestants.map(({ engine }) => engine.close()));
  }
}

/** Rounds in which every engine runs once, in turns of changing order, so that a busy moment hits all alike. */
async function runRounds(contestants: Contestant[], options: MeasureOptions): Promise<void> {
  const { row, backend, repeats, quick, log } = options;
  const size = quick ? 'quick' : 'full';
  log(`${row.name} on ${backend}: measuring, up to ${repeats} rounds`);
  for (const each of contestants) {
    // Preparing ran the work once, so this run is warm.
    const seconds = await each.engine.run(1);
    each.timesPerRepeat = Math.max(1, Math.min(1000, Math.round(REPEAT_SECONDS[size] / seconds)));
  }
  const start = performance.now();
  for (let round = 0; round < repeats; round++) {
    const elapsed = (performance.now() - start) / 1000;
    if (round > 0 && elapsed * ((round + 1) / round) > ROW_SECONDS[size]) break;
    for (const each of round % 2 === 0 ? contestants : [...contestants].reverse()) {
      each.secondsPerRun.push((await each.engine.run(each.timesPerRepeat)) / each.timesPerRepeat);
    }
  }
}

function speedOf({ description, secondsPerRun }: Contestant, work: number): Speed {
  return {
    description,
    value: work / median(secondsPerRun),
    range: [work / Math.max(...secondsPerRun), work / Math.min(...secondsPerRun)],
    repeats: secondsPerRun.length,
  };
}
