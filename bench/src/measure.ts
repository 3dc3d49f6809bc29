/** @file Measures one row on one backend: results compared, then repeats of all engines interleaved. */
import { EngineProcess } from './engine-process.js';
import { type BackendName, ENGINES, type EngineName, engineSetting } from './engines/engine.js';
import type { Row } from './rows/row.js';
import { median, relativeDifference } from './statistics.js';

export interface MeasureOptions {
  row: Row;
  backend: BackendName;
  /** Repeats of each engine, at most. */
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

/** A repeat does the work so often that it takes about `repeatSeconds`; an engine runs once, then until `engineSeconds`. */
const FULL = { repeatSeconds: 0.4, engineSeconds: 12 };
const QUICK = { repeatSeconds: 0.1, engineSeconds: 3 };
const TIMEOUT_SECONDS = 150;

interface Contestant {
  engine: EngineProcess;
  description: string;
  timesPerRepeat: number;
  secondsPerRun: number[];
  /** Seconds measured so far. */
  spent: number;
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
        contestants.push({ engine, description, timesPerRepeat: 1, secondsPerRun: [], spent: 0 });
        reduced ||= software;
        const check = await engine.prepare(row.name, reduced);
        expected ??= check;
        const difference = relativeDifference(check, expected);
        if (!(difference <= row.tolerance)) {
          throw new Error(`its result differs from ours by ${difference.toPrecision(2)}, more than ${row.tolerance}`);
        }
      } catch (error) {
        await giveUp(name, error, contestants, absent);
      }
    }
    log(`${row.name} on ${backend}: measuring`);
    await runRounds(contestants, absent, options);
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

/** Takes an engine out, with the reason. @throws Error for our own, without which there is nothing to compare */
async function giveUp(
  name: EngineName,
  error: unknown,
  contestants: Contestant[],
  absent: Map<EngineName, string>,
): Promise<void> {
  const reason = error instanceof Error ? error.message : String(error);
  const place = contestants.findIndex(({ engine }) => engine.name === name);
  if (place >= 0) await contestants.splice(place, 1)[0].engine.close();
  if (name === 'ours') throw new Error(reason);
  absent.set(name, reason);
}

/** Rounds in which every engine runs in turn, in changing order, so that a busy moment hits all alike. */
async function runRounds(
  contestants: Contestant[],
  absent: Map<EngineName, string>,
  { repeats, quick }: MeasureOptions,
): Promise<void> {
  const { repeatSeconds, engineSeconds } = quick ? QUICK : FULL;
  for (let round = 0; round <= repeats; round++) {
    const order = round % 2 === 0 ? [...contestants] : [...contestants].reverse();
    for (const each of order) {
      const { engine, secondsPerRun, spent, timesPerRepeat } = each;
      const isDone = secondsPerRun.length >= repeats || spent * (1 + 1 / secondsPerRun.length) > engineSeconds;
      if (secondsPerRun.length > 0 && isDone) continue;
      try {
        const seconds = await engine.run(timesPerRepeat);
        if (round === 0) each.timesPerRepeat = Math.max(1, Math.min(1000, Math.round(repeatSeconds / seconds)));
        // Preparing ran the work once, so a first run that is long enough is as good as a repeat.
        if (round > 0 || each.timesPerRepeat === 1) {
          secondsPerRun.push(seconds / timesPerRepeat);
          each.spent += seconds;
        }
      } catch (error) {
        await giveUp(engine.name, error, contestants, absent);
      }
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
