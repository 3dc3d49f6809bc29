/**
 * @file Whether this engine makes one 256-bit operation of two adjacent 128-bit ones. V8 can, from Node 24 on, behind a flag
 * of the process; what decides is not its version but a trial: the wide module must be faster and agree in every bit.
 */
import { SCRATCH_BASE } from './layout.js';
import { builtin } from './platform.js';

const FLAG = 'experimental-wasm-revectorize';
/** The first V8 that knows the flag (Node 22): others complain of it on the console. */
const FIRST_V8 = [12, 4];

/**
 * Switches the engine's 256-bit operations on or off for what is compiled from now on, in the whole process. Returns
 * whether the engine may have them at all.
 */
export function setWideVectors(on: boolean): boolean {
  const { process } = globalThis as { process?: typeof globalThis.process };
  // Elsewhere there is no flag to set, and no engine is known to have them without.
  if (process?.arch !== 'x64' || !process.versions?.v8) return false;
  const [major, minor] = process.versions.v8.split('.').map(Number);
  if (major < FIRST_V8[0] || (major === FIRST_V8[0] && minor < FIRST_V8[1])) return false;
  builtin('node:v8')?.setFlagsFromString(on ? `--${FLAG}` : `--no-${FLAG}`);
  return true;
}

interface Probe {
  probe(a: number, b: number, c: number, depth: number, repeats: number): void;
}

type Bytes = Uint8Array<ArrayBuffer>;
type Instantiate = (module: WebAssembly.Module, memory: WebAssembly.Memory) => Probe;

const DEPTH = 256;
/** The probe's operands, behind the module's static data. */
const A = SCRATCH_BASE;
const B = A + 4 * DEPTH * 4;
const C = B + DEPTH * 64;
const RESULTS = 5 * 64 + 1;
const PAGES = 2;

/**
 * How much faster the wide module must be to be chosen. Where it is well compiled it is almost twice as fast, beside a busy
 * thread of the same core 1.2 times; where it is not, it is half as fast.
 */
const LEAST_GAIN = 1.05;
/** Rounds of optimised code that must show it, and after which it is not to be expected any more. */
const LEAST_ROUNDS = 12;
const MOST_ROUNDS = 80;
/** Optimised code is at least this many times as fast as what the engine begins with (eight times, in V8; three where it spills). */
const OPTIMISED = 2;
/** Calls that come long before an engine optimises (after some twenty, in V8). */
const FIRST_CALLS = 6;
/** Engines optimise on a thread of their own within 10 ms; a busy machine may take longer. */
const MOST_MILLISECONDS = 400;

/** Tries both modules, given as bytes, until the engine has optimised them; whether the wide one is faster and right. */
export async function isWideFaster(narrow: Bytes, wide: Bytes, instantiate: Instantiate): Promise<boolean> {
  const contestants = [await trial(narrow, instantiate), await trial(wide, instantiate)];
  const end = performance.now() + MOST_MILLISECONDS;
  const best = contestants.map(() => Number.POSITIVE_INFINITY);
  let won = false;
  for (let rounds = 0; !won && rounds < MOST_ROUNDS && performance.now() < end; ) {
    const times = contestants.map(({ time }) => time());
    // Before both are, it would be a contest of which is optimised first.
    if (contestants.some(({ first }, i) => times[i] > first / OPTIMISED)) continue;
    times.forEach((time, i) => (best[i] = Math.min(best[i], time)));
    won = ++rounds >= LEAST_ROUNDS && best[0] > LEAST_GAIN * best[1];
  }
  if (!won) return false;
  const [expected, actual] = contestants.map(({ results }) => results());
  return expected.every((word, index) => word === actual[index]);
}

async function trial(bytes: Bytes, instantiate: Instantiate) {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
  const operands = new Float32Array(memory.buffer, A, (C - A) / 4);
  for (let i = 0; i < operands.length; i++) operands[i] = Math.sin(i * 1.37) / 4;
  const { probe } = instantiate(await WebAssembly.compile(neverSeen(bytes)), memory);
  const time = () => {
    const start = performance.now();
    probe(A, B, C, DEPTH, 1);
    return performance.now() - start;
  };
  // The first call compiles, and the next ones are before anything is optimised.
  time();
  const first = Math.min(...Array.from({ length: FIRST_CALLS }, time));
  return { time, first, results: () => Array.from(new Int32Array(memory.buffer, C, RESULTS)) };
}

/** The same module with other bytes: of one that it has seen, an engine may have optimised code at hand. */
function neverSeen(bytes: Bytes): Bytes {
  // A custom section (0) of ten bytes, whose name has one byte.
  const section = [0, 10, 1, 0x74, ...crypto.getRandomValues(new Uint8Array(8))];
  const copy = new Uint8Array(bytes.length + section.length);
  copy.set(bytes);
  copy.set(section, bytes.length);
  return copy;
}
