/** @file Measures one row on one backend: results compared, then repeats of all engines interleaved. */
import { Contestant, type Pace, type Speed } from './contestant.js';
import { EngineProcess } from './engine-process.js';
import { type BackendName, ENGINES, type EngineName, engineSetting } from './engines/engine.js';
import type { Row } from './rows/row.js';
import { relativeDifference } from './statistics.js';

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

export interface Measurement {
  title: string;
  unit: string;
  /** What there was less of than in the full row. */
  reduced?: string;
  /** GFLOP of one unit, where the unit is not GFLOP/s. */
  gflopPerUnit?: number;
  /** Of engines, and of what is beside ours. */
  speeds: Map<string, Speed>;
  /** Device memory of engines that tell. */
  deviceBytes: Map<string, number>;
  /** Engines that could not run the row, and why. */
  absent: Map<string, string>;
}

const FULL = { repeatSeconds: 0.4, engineSeconds: 12 };
const QUICK = { repeatSeconds: 0.1, engineSeconds: 3 };
/** For one step of an engine; whole training steps on a software adapter are slow. */
const TIMEOUT_SECONDS = 240;

/** @throws Error if our own engine does not run the row */
export async function measure(options: MeasureOptions): Promise<Measurement> {
  const { row, backend, repeats, quick, log } = options;
  const pace: Pace = { repeats, ...(quick ? QUICK : FULL) };
  const field = new Field();
  let reduced = quick;
  let expected: Float32Array | undefined;
  try {
    for (const name of enginesOn(backend, row)) {
      log(`${row.name} on ${backend}: readying ${name}`);
      await field.attempt(name, async () => {
        const { engine, description, software } = await EngineProcess.open({
          name,
          backend,
          timeoutSeconds: TIMEOUT_SECONDS,
        });
        if (engineSetting(name).narrow && !isWide(field.contestants.get('ours')?.description)) {
          await engine.close();
          return;
        }
        field.enter(name, new Contestant(engine, description), engine);
        reduced ||= software;
        const beside = await engine.prepare(row.name, reduced);
        // What is beside ours is beside its narrow kernels too: the first one counts.
        for (const other of beside.filter((other) => !field.contestants.has(other))) {
          field.enter(other, new Contestant({ run: (times) => engine.run(times, other) }, 'in the same process'));
        }
      });
    }
    log(`${row.name} on ${backend}: measuring`);
    await field.each(async (contestant, engine) => {
      await contestant.firstRun(pace);
      if (!engine) return;
      const numbers = await engine.check();
      expected ??= numbers;
      const difference = relativeDifference(numbers, expected);
      const tolerance = Math.max(row.tolerance, engineSetting(engine.name).tolerance ?? 0);
      if (!(difference <= tolerance)) {
        throw new Error(`its result differs from ours by ${difference.toPrecision(2)}, more than ${tolerance}`);
      }
    });
    for (let round = 0; round < repeats; round++) {
      await field.each((contestant) => contestant.repeat(pace), { reversed: round % 2 === 0 });
    }
    const deviceBytes = new Map<string, number>();
    await field.each(async (_, engine) => {
      const bytes = await engine?.deviceBytes();
      if (engine && bytes !== undefined) deviceBytes.set(engine.name, bytes);
    });
    const problem = row.problem(reduced);
    const work = row.work(problem);
    const flops = row.flops?.(problem);
    return {
      title: row.title(problem),
      unit: row.unit,
      reduced: reduced ? row.reduced : undefined,
      gflopPerUnit: flops === undefined ? undefined : flops / 1e9 / work,
      speeds: new Map([...field.contestants].map(([name, contestant]) => [name, contestant.speed(work)])),
      deviceBytes,
      absent: field.absent,
    };
  } finally {
    await field.close();
  }
}

/** Whether our engine runs kernels for 256-bit registers: only then are there others to compare them with. */
function isWide(description = ''): boolean {
  return description.includes('256-bit');
}

/** Those that have the backend and for which the row is written. */
function enginesOn(backend: BackendName, row: Row): EngineName[] {
  return (Object.keys(ENGINES) as EngineName[]).filter((name) => {
    const { api, backends, gpuOnly } = engineSetting(name);
    if (gpuOnly && !row.gpuOnly) return false;
    return (backends as readonly BackendName[]).includes(backend) && row.engines[api] !== undefined;
  });
}

/** The engines still in, ours first, and those that are out. */
class Field {
  readonly contestants = new Map<string, Contestant>();
  readonly #engines = new Map<string, EngineProcess>();
  readonly absent = new Map<string, string>();

  enter(name: string, contestant: Contestant, engine?: EngineProcess): void {
    this.contestants.set(name, contestant);
    if (engine) this.#engines.set(name, engine);
  }

  /** Takes the engine out if `work` fails. @throws Error if it is ours, without which there is nothing to compare */
  async attempt(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (name === 'ours') throw error;
      await this.#engines.get(name)?.close();
      this.contestants.delete(name);
      this.absent.set(name, error instanceof Error ? error.message : String(error));
    }
  }

  /** One after the other; the order changes, so that nobody always follows the same. */
  async each(
    work: (contestant: Contestant, engine: EngineProcess | undefined) => Promise<void>,
    options: { reversed?: boolean } = {},
  ): Promise<void> {
    const order = [...this.contestants];
    if (options.reversed) order.reverse();
    for (const [name, contestant] of order) {
      await this.attempt(name, () => work(contestant, this.#engines.get(name)));
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#engines.values()].map((engine) => engine.close()));
  }
}
