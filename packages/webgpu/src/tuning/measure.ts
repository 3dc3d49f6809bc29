/** @file Which way to compute a kernel is fastest on this device. */
import { type Benched, type BenchTools, type CompiledWay, compileWay, KernelBench, type Way } from './kernel-bench.js';
import { Stopwatch, type TimedDispatch } from './stopwatch.js';

/** A variant replaces the default where it takes less than this part of its time. */
const WORTHWHILE = 0.97;
/** What runs of the default in one sample should take together. */
const SAMPLE_SECONDS = 4e-3;
const MOST_REPEATS = 500;
const ROUNDS = 5;
/** Rounds where one sample takes longer than this. */
const LONG_SAMPLE_SECONDS = 0.05;
const FEW_ROUNDS = 3;
/** Variants slower than the fastest by this factor in the first round are not timed again. */
const HOPELESS = 2;

/** A variant that was not considered, and why. */
export interface DroppedVariant {
  variant: string;
  reason: string;
}

export interface Measurement {
  /** The fastest variant's name. */
  fastest: string;
  dropped: DroppedVariant[];
}

/**
 * Runs and times the ways, the first being the default.
 * @throws where not even the default can be measured: it does not compile or there is no memory.
 */
export async function measureWays(benched: Benched, ways: readonly Way[], tools: BenchTools): Promise<Measurement> {
  const dropped: DroppedVariant[] = [];
  const drop: Drop = (variant, error) => {
    dropped.push({ variant, reason: error instanceof Error ? error.message : `${error}` });
  };
  const compiled = await compileAll(benched, ways, tools, drop);
  const bench = await KernelBench.open(benched, compiled, tools);
  try {
    const right = await rightWays(compiled, bench, benched.toleratedPart, drop);
    const stopwatch = new Stopwatch(tools.device, tools.memory);
    try {
      return { fastest: await fastestOf(right, bench, stopwatch), dropped };
    } finally {
      stopwatch.dispose();
    }
  } finally {
    bench.dispose();
  }
}

type Drop = (variant: string, error: unknown) => void;

/** Those whose result is that of the first, but for rounding. */
async function rightWays(
  [first, ...others]: readonly CompiledWay[],
  bench: KernelBench,
  tolerated: number,
  drop: Drop,
): Promise<CompiledWay[]> {
  await bench.runFirst(first);
  const right = [first];
  for (const variant of others) {
    try {
      const part = await bench.differingPart(variant);
      if (part <= tolerated) right.push(variant);
      else
        drop(variant.name, `its result differs from the default's in ${(100 * part).toPrecision(3)} % of the elements`);
    } catch (error) {
      drop(variant.name, error);
    }
  }
  return right;
}

async function compileAll(
  benched: Benched,
  [first, ...others]: readonly Way[],
  tools: BenchTools,
  drop: Drop,
): Promise<CompiledWay[]> {
  const settled = await Promise.allSettled([first, ...others].map((each) => compileWay(each, benched.program, tools)));
  if (settled[0].status === 'rejected') throw settled[0].reason;
  return settled.flatMap((result, position) => {
    if (result.status === 'fulfilled') return [result.value];
    drop([first, ...others][position].name, result.reason);
    return [];
  });
}

/** Times the variants in turns, so that what slows the device for a while slows all of them. */
async function fastestOf(variants: CompiledWay[], bench: KernelBench, stopwatch: Stopwatch): Promise<string> {
  const runs = variants.map((variant) => ({
    name: variant.name,
    dispatches: bench.bind(variant),
    samples: [] as number[],
  }));
  const [first] = runs;
  const once = await stopwatch.seconds(first.dispatches, 1);
  const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.round(SAMPLE_SECONDS / once)));
  const rounds = once * repeats > LONG_SAMPLE_SECONDS ? FEW_ROUNDS : ROUNDS;
  let remaining = runs;
  for (let round = 0; round < rounds; round++) {
    for (const run of remaining) run.samples.push(await secondsOrNever(run.dispatches, repeats, stopwatch));
    const fastest = Math.min(...remaining.map(({ samples }) => samples[0]));
    remaining = remaining.filter((run) => run === first || run.samples[0] <= HOPELESS * fastest);
  }
  const best = remaining.reduce((a, b) => (median(b.samples) < median(a.samples) ? b : a));
  return median(best.samples) < WORTHWHILE * median(first.samples) ? best.name : first.name;
}

/** A variant that fails now is never the fastest. */
async function secondsOrNever(
  dispatches: readonly TimedDispatch[],
  repeats: number,
  stopwatch: Stopwatch,
): Promise<number> {
  try {
    return await stopwatch.seconds(dispatches, repeats);
  } catch {
    return Infinity;
  }
}

function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
